# Everything is one command. Needs Python 3.11 or later, make and a package index, nothing else.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV   := .venv
BIN    := $(VENV)/bin
DONE   := $(VENV)/.installed
LOCKED := requirements.lock
# What the index is, and how it is reached, is the machine's business (pip's own settings). Every file is held to its hash.
PIP    := $(BIN)/python -m pip --disable-pip-version-check

# Some images forbid Python to keep what it compiled; the tests start a thousand processes, and each would compile anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo test tools check bench crash docs lock clean

help: ## Show the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(DONE) ## Install Keymill and its locked dependencies into .venv

$(DONE): $(LOCKED) pyproject.toml
	@test -n "$(PYTHON)" || { echo "Keymill needs Python 3.11 or later; none was found on PATH." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install -qq --no-compile --require-hashes --requirement $(LOCKED)
	$(PIP) install -qq --no-deps --no-build-isolation --editable .
	@touch $@

demo: install ## The main job from nothing on an embedded stack: mint, redeem, verify
	@$(BIN)/keymill demo

check: install ## Lint, format, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# SFTP is tested with the real OpenSSH, pages with a real browser: as COMMAND:PACKAGE (Debian).
TOOLS := ssh:openssh-client sshd:openssh-server chromium:chromium
tools:
	@missing=""; PATH="$$PATH:/usr/sbin"; for tool in $(TOOLS); do \
		command -v "$${tool%%:*}" >/dev/null || missing="$$missing $${tool##*:}"; done; \
	test -z "$$missing" || if test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing >/dev/null; \
	else echo "Some tests are left out (in CI they fail). Install:$$missing" >&2; fi

# Two more than there are cores: many tests wait for processes of their own.
TESTERS ?= $(shell $(PYTHON) -c 'import os; print(min((os.cpu_count() or 1) + 2, 6))')
# Tests make databases by the thousand, which nobody misses: in memory, where there is room, a fifth sooner than on a disk.
MEMORY := /dev/shm
ROOMY  = $(shell $(PYTHON) -c 'import os, shutil; where = "$(MEMORY)"; print(where if os.access(where, os.W_OK) \
	and not os.statvfs(where).f_flag & os.ST_NOEXEC and shutil.disk_usage(where).free > 8 << 30 else "/tmp")')
# The test that holds our keys to a JOSE library on Node installs that library into build/ where npm is there.
# What tests import is compiled while the checks run, once: on a fresh clone each tester would compile it for itself.
test: tools install ## All checks and all tests
	@$(BIN)/python -m pytest --collect-only --quiet $(TESTS) >/dev/null 2>&1 &
	$(MAKE) --no-print-directory check
	TMPDIR=$${TMPDIR:-$(ROOMY)} $(BIN)/python -m pytest --numprocesses $(TESTERS) --dist loadfile --no-loadscope-reorder \
		$(TESTS)

bench: install ## The benchmarks, one JSON line each
	@$(BIN)/keymill bench

crash: install ## 200 faults while batches run, then the books are checked
	@$(BIN)/python -m tests.crash.run

docs: install ## Write docs/reference anew from the code
	@$(BIN)/python -m docs.generate

RESOLVE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-annotate --no-header \
	--no-emit-index-url pyproject.toml
lock: install ## Resolve the dependencies anew into the lock files
	$(PIP) install -qq uv
	$(RESOLVE) --upgrade --extra embedded --extra dev --output-file $(LOCKED)
	$(RESOLVE) --constraints $(LOCKED) --output-file requirements.production.lock
	$(RESOLVE) --constraints $(LOCKED) --extra otel --output-file requirements.traced.lock

clean: ## Remove the environment, build folder and caches (never .keymill)
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
