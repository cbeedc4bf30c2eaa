"""Looking into a drop: what settled is claimed by rename, brought here, made a batch, and put into archive or error.

    FOLDER/NAME -> FOLDER/processing/DROP-TIME-SIZE-NAME -> FOLDER/archive/BATCH-NAME
                                                         -> FOLDER/error/NAME and NAME.reason.txt

Whatever dies between two steps, the next poll finds the file in ``processing`` and goes on; its name there says what it
was, so it is the same batch however often it is taken up.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import structlog

from config.wiring import App
from jobs import dropping, intake
from jobs.control import find_account
from jobs.refusals import Refused
from licensing.fields import Language
from models import drops
from models.accounts import Account
from models.database import transaction
from models.drops import Drop, FileIdentity
from storage.dropped import Fault, ends_with_block, fault_of, is_temporary
from storage.drops import DropProblem, Found, Grown, Remote, Target, connected

log = structlog.get_logger("keymill.drops")
PROCESSING, ARCHIVE, ERROR = ROOMS = ("processing", "archive", "error")
REASON = ".reason.txt"
_CLAIMED = re.compile(r"([0-9a-f]{8})-(\d+)-(\d+)-(.+)", re.DOTALL)
_CHANGED = Fault(
    "changed_while_taken",
    "The file was still being written when it was taken, and another one of its name has come since. Send it again.",
    "Il file era ancora in scrittura quando è stato preso, e nel frattempo ne è arrivato un altro con lo stesso nome. "
    "Inviarlo di nuovo.",
)
_NOT_HANDED_BACK = Fault(
    "drop_removed",
    "The drop that had taken the file was removed, and another file of its name has come since. Send it again.",
    "Il drop che aveva preso il file è stato eliminato, e nel frattempo ne è arrivato un altro con lo stesso nome. "
    "Inviarlo di nuovo.",
)


@dataclass
class Polled:
    """What one look brought: the batches that were made by path, what was refused and why, what is still settling."""

    drop: str
    taken: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)
    is_busy: bool = False
    error: dict[str, str] | None = None

    def document(self) -> dict[str, Any]:
        """The same as JSON-able values."""
        return asdict(self)


def active(app: App, name: str | None = None) -> list[Drop]:
    """The drops that are not paused; or the one of a name, if it is not."""
    with app.engine.connect() as connection:
        return [one for one in drops.every(connection) if one.state == "active" and name in (None, one.name)]


def poll(app: App, drop: Drop) -> Polled:
    """Look into a drop once, unless somebody else does so now. What goes wrong is noted with the drop."""
    polled = Polled(drop.name)
    with drops.only_poller(app.engine, drop.id) as mine:
        if not mine:
            polled.is_busy = True
            return polled
        try:
            account = _account(app, drop)
            with connected(target_of(drop)) as remote:
                _Look(app, drop, account, remote, polled).run()
        except (DropProblem, Refused) as problem:
            polled.error = {"code": problem.code, "en": problem.en, "it": problem.it}
            log.warning("drop not polled to its end", drop=drop.name, error=problem.en)
        with transaction(app.engine) as connection:
            drops.polled(connection, drop.id, polled.error)
    return polled


def hand_back(app: App, drop: Drop) -> list[str]:
    """Undo what a drop has in hand, for one that is looked into no more: the paths of files that lie there again.

    Files that became a batch go to the archive. The caller is the only poller. Raises ``DropProblem``.
    """
    with app.engine.connect() as connection:
        account = find_account(connection, drop.account)
    with connected(target_of(drop)) as remote:
        look = _Look(app, drop, account, remote, Polled(drop.name))
        look.hand_back()
    shutil.rmtree(look.spool)
    return look.polled.waiting


def target_of(drop: Drop) -> Target:
    """Where a drop is and how to get in."""
    return Target(drop.host, drop.port, drop.login, drop.host_key, Path(drop.key_file))


def _account(app: App, drop: Drop) -> Account:
    with app.engine.connect() as connection:
        account = find_account(connection, drop.account)
    intake.check_active(account)
    return account


@dataclass
class _Look:
    """One look into a drop over one connection."""

    app: App
    drop: Drop
    account: Account
    remote: Remote
    polled: Polled

    def run(self) -> None:
        """First what an earlier look left, then what has settled, oldest first."""
        for folder, name, file in self._left_over():
            self._finish(folder, name, file)
        for folder, found in self._settled():
            file = _identity(folder, found)
            if self.remote.claim(file.path, self._claimed(folder, found.name, file)):
                self._finish(folder, found.name, file)

    def hand_back(self) -> None:
        """What is in hand goes back under its name, unless it is a batch already; the rooms need not be there."""
        for folder in self.drop.folders:
            if not self.remote.has_folder(f"{folder}/{PROCESSING}"):
                continue
            for name, file in self._in_hand(folder):
                claimed = self._claimed(folder, name, file)
                batch_id = dropping.batch_of(self.app, self.account, self._request(file))
                if batch_id is not None:
                    self.remote.replace(claimed, f"{folder}/{ARCHIVE}/{batch_id}-{name}")
                else:
                    self._put_back(folder, name, file, claimed, _NOT_HANDED_BACK)

    def _left_over(self) -> list[tuple[str, str, FileIdentity]]:
        """The files that were claimed already; of others nothing is kept here."""
        left = []
        for folder in self.drop.folders:
            for room in ROOMS:
                self.remote.make_folder(f"{folder}/{room}")
            left += [(folder, name, file) for name, file in self._in_hand(folder)]
        kept = {self._local(file) for _, _, file in left}
        for path in self.spool.iterdir():
            if path not in kept:
                path.unlink()
        return left

    def _in_hand(self, folder: str) -> list[tuple[str, FileIdentity]]:
        """The files of a folder that this drop has claimed: the names that they had, and what they were."""
        found = [_CLAIMED.fullmatch(one.name) for one in self.remote.files(f"{folder}/{PROCESSING}")]
        return [
            (one[4], FileIdentity(f"{folder}/{one[4]}", int(one[2]), int(one[3])))
            for one in found
            if one and one[1] == self.drop.token
        ]

    def _settled(self) -> list[tuple[str, Found]]:
        """The files that have not changed for long enough, or are said to be whole."""
        here = [(folder, self.remote.files(folder)) for folder in self.drop.folders]
        wanted = [(folder, found) for folder, files in here for found in files if self._is_wanted(found.name)]
        with transaction(self.app.engine) as connection:
            ages = drops.see(connection, self.drop.id, [_identity(*one) for one in wanted])
        names = {f"{folder}/{found.name}" for folder, files in here for found in files}
        settled = []
        for folder, found in sorted(wanted, key=lambda one: (one[1].mtime, one[1].name)):
            path = f"{folder}/{found.name}"
            is_marked = not self.drop.marker or path + self.drop.marker in names
            if is_marked and ages[_identity(folder, found)] >= self.drop.settle_seconds:
                settled.append((folder, found))
            else:
                self.polled.waiting.append(path)
        return settled

    def _is_wanted(self, name: str) -> bool:
        is_marker = bool(self.drop.marker) and name.endswith(self.drop.marker)
        return fnmatch(name, self.drop.pattern) and not is_temporary(name) and not is_marker

    def _finish(self, folder: str, name: str, file: FileIdentity) -> None:
        """Bring a claimed file to its end, wherever an earlier look stopped."""
        claimed, local = self._claimed(folder, name, file), self._local(file)
        with self.app.engine.connect() as connection:
            batch_id = drops.batch_of(connection, self.drop.id, file)
        try:
            if batch_id is None:
                batch_id = self._take(folder, name, file, claimed, local)
        except Grown:
            self._put_back(folder, name, file, claimed, _CHANGED)
            return
        except Refused as refused:
            if refused.code in dropping.PASSING:
                raise
            self._refuse(folder, name, file, Fault(refused.code, refused.en, refused.it))
        else:
            self.remote.replace(claimed, f"{folder}/{ARCHIVE}/{batch_id}-{name}")
            self.polled.taken[file.path] = batch_id
        local.unlink(missing_ok=True)
        if self.drop.marker:
            self.remote.remove(file.path + self.drop.marker)

    def _take(self, folder: str, name: str, file: FileIdentity, claimed: str, local: Path) -> int:
        intake.check_size(self.app, file.size)
        self.remote.fetch(claimed, local, file.size)
        is_marked = bool(self.drop.marker)
        fault = None if is_marked else fault_of(local, at_block_end=ends_with_block(file.size))
        if fault is not None:
            raise Refused(fault.code, fault.en, fault.it)
        kind = self.drop.folders[folder]
        batch_id = dropping.take(self.app, self.account, kind, name, local, self._request(file))
        with transaction(self.app.engine) as connection:
            drops.settle(connection, self.drop.id, file, "taken", batch_id=batch_id)
        log.info("file taken", drop=self.drop.name, file=file.path, batch=batch_id)
        return batch_id

    def _refuse(self, folder: str, name: str, file: FileIdentity, fault: Fault) -> None:
        language: Language = dropping.language_of(self.account, self.app.settings)
        told = fault.it if language == "it" else fault.en
        with transaction(self.app.engine) as connection:
            drops.settle(connection, self.drop.id, file, "refused", reason=asdict(fault))
        self.remote.write(f"{folder}/{ERROR}/{name}{REASON}", f"{name}\n{told}\n")
        self.remote.replace(self._claimed(folder, name, file), f"{folder}/{ERROR}/{name}")
        self.polled.refused[file.path] = told
        log.warning("file refused", drop=self.drop.name, file=file.path, code=fault.code)

    def _put_back(self, folder: str, name: str, file: FileIdentity, claimed: str, fault: Fault) -> None:
        """Give a file its name again; where there is another one of that name, it is refused with the fault."""
        if self.remote.claim(claimed, file.path):
            self.polled.waiting.append(file.path)
        else:
            self._refuse(folder, name, file, fault)

    def _claimed(self, folder: str, name: str, file: FileIdentity) -> str:
        return f"{folder}/{PROCESSING}/{self.drop.token}-{file.mtime}-{file.size}-{name}"

    def _request(self, file: FileIdentity) -> str:
        """What a file is as a request: the same one is the same batch."""
        return f"{self.drop.name}/{file.path}:{file.mtime}:{file.size}"

    @property
    def spool(self) -> Path:
        """Where files of the drop lie while they are brought here."""
        folder = self.app.settings.home / "drops" / str(self.drop.id)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def _local(self, file: FileIdentity) -> Path:
        return self.spool / hashlib.sha256(repr(file).encode()).hexdigest()


def _identity(folder: str, found: Found) -> FileIdentity:
    return FileIdentity(f"{folder}/{found.name}", found.mtime, found.size)
