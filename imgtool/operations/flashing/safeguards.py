"""What stands between a write and what the user would lose by it: a refusal, a question, a backup.

What would be lost is found out in losses.py.  Nothing here asks anybody or writes a file: who runs a job
hands that in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from imgtool.device.events import Event
from imgtool.errors import LayoutError, LossError, UsageError
from imgtool.operations.flashing.transfer import read_flash
from imgtool.operations.flashing.waivers import LOSE_ALL, LOSSES
from imgtool.operations.upgrade.values import REFUSED
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from imgtool.device.events import Listener
    from imgtool.device.session import Session
    from imgtool.operations.files.reading import ReadFileSystem
    from imgtool.operations.upgrade.values import Loss

__all__ = [
    "Answer",
    "Ask",
    "Backup",
    "SaveBackup",
    "SavedBackup",
    "backed_up",
    "check_lose",
    "check_saved",
    "decided",
    "files_saved",
    "given_up",
    "refused",
]

BACKUP_STAGE: Final = "backup"
_SHOWN: Final = 3  # losses that the sentence of a refusal names
_SHOWN_FILES: Final = 8


class Answer(Enum):
    """What is to be done where something would be lost."""

    BACKUP = "backup"
    """Read the whole flash into a file first, then go on."""
    KEEP_FILES = "keep files"
    """Carry the files to where the new firmware looks for them."""
    LOSE = "lose"
    """Go on without."""
    STOP = "stop"
    """Write nothing."""


@dataclass(frozen=True, slots=True)
class Backup:
    """All of a flash, or of a file system in it, as it was read.

    Attributes:
        mac: The chip's MAC address, 6 bytes.
        data: The bytes.
        files: Whether it is a file system; else it is the whole flash.
    """

    mac: bytes
    data: bytes = field(repr=False)
    files: bool = False

    @property
    def sha256(self) -> str:
        """Their digest, lower-case hex."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class SavedBackup:
    """A backup that was saved.

    Attributes:
        path: Where.
        size: Its bytes.
        sha256: Their digest, lower-case hex.
    """

    path: str
    size: int
    sha256: str


Ask = Callable[[tuple["Loss", ...]], Answer]
"""Asks the user, who is told what would be lost."""

SaveBackup = Callable[[Backup], str]
"""Saves a backup and says where; what it raises is raised before anything is written to the board."""


def check_lose(kinds: Iterable[str]) -> None:
    """Refuse a word for something to lose that has no meaning.

    Raises:
        UsageError: Nothing that can be lost has that name.
    """
    for word in sorted(kinds):
        if word not in LOSSES:
            raise UsageError("there is nothing to lose by that name", expected=", ".join(LOSSES), found=word)


def given_up(loss: Loss, lose: Collection[str]) -> bool:
    """Whether the user has said that something may be lost."""
    return LOSE_ALL in lose or str(loss.kind) in lose


def refused(losses: Iterable[Loss], lose: Collection[str]) -> tuple[Loss, ...]:
    """What of the losses nothing is written over without a word of the user."""
    return tuple(loss for loss in losses if loss.kind in REFUSED and not given_up(loss, lose))


def decided(losses: Iterable[Loss], lose: Collection[str], *, backup: bool, ask: Ask | None = None) -> Answer:
    """What is to be done before the write: a backup, another plan that keeps the files, or nothing.

    Args:
        losses: What would be lost.
        lose: What of that the user has given up, by kind.
        backup: Whether a backup is asked for: then nothing is lost that cannot be put back.
        ask: Asks the user; None where nobody can be asked.

    Raises:
        LossError: Something would be lost, and the user has not said that it may be.
    """
    if backup:
        return Answer.BACKUP
    open_ones = refused(losses, lose)
    if not open_ones:
        return Answer.LOSE
    answer = Answer.STOP if ask is None else ask(open_ones)
    if answer is Answer.STOP:
        raise LossError(_sentence(open_ones), losses=open_ones)
    return answer


def _sentence(losses: tuple[Loss, ...]) -> Phrase:
    words = Phrase.joined("; ", (_words_of(loss) for loss in losses[:_SHOWN]))
    more = len(losses) - _SHOWN
    return Phrase(
        "this would be lost, so nothing was written: ", words, f"; and {more} more" if more > 0 else ""
    )


def _words_of(loss: Loss) -> Phrase:
    names = [Name(name) for name in loss.files[:_SHOWN_FILES]]
    more = [f"{len(loss.files) - len(names)} more"] if len(loss.files) > len(names) else []
    inside = Phrase(" with ", Phrase.joined(", ", [*names, *more])) if names else ""
    return Phrase(f"{loss.name} at 0x{loss.start:06x}, {loss.size:,} bytes", inside)


def backed_up(session: Session, save: SaveBackup | None, on_event: Listener) -> SavedBackup:
    """Read the whole flash, verified by the chip's digests or by reading it twice, and save it.

    Args:
        session: The device.
        save: Saves it.
        on_event: Told what happens.

    Raises:
        UsageError: Nobody saves it, or it cannot be saved.
        LayoutError: The capacity of the flash is not known.
        ChipError: The chip is silent, or the content comes broken every time.
        PortError: The port is lost and does not come back.
    """
    check_saved(backup=True, save=save)
    size = session.flash.bytes
    if size is None:
        raise LayoutError(
            "the capacity of the flash is not known, so it cannot be backed up as a whole",
            expected="a flash ID that tells it",
            found=session.flash.id.hex(),
        )
    backup = Backup(session.chip.mac_bytes, read_flash(session, 0, size, on_event, stage=BACKUP_STAGE))
    path = "" if save is None else save(backup)
    return SavedBackup(path, len(backup.data), backup.sha256)


def files_saved(
    session: Session, kept: ReadFileSystem, save: SaveBackup | None, on_event: Listener
) -> SavedBackup:
    """Save a file system as it was read, before anything is erased.

    Args:
        session: The device.
        kept: The file system.
        save: Saves it.
        on_event: Told where it is.

    Raises:
        UsageError: Nobody saves it, or it cannot be saved.
    """
    check_saved(backup=True, save=save)
    backup = Backup(session.chip.mac_bytes, kept.image, files=True)
    path = "" if save is None else save(backup)
    on_event(Event("note", message=Phrase("the files as they were are in ", Name(path))))
    return SavedBackup(path, len(backup.data), backup.sha256)


def check_saved(*, backup: bool, save: SaveBackup | None) -> None:
    """Refuse a backup that nobody saves.

    Raises:
        UsageError: One is asked for, and there is nobody to save it.
    """
    if backup and save is None:
        raise UsageError("a backup has to be saved", expected="what saves it")
