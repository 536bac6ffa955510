"""A change of the files on a board: saved as they were, written sector by sector, each file read back.

What changes, and in which order it is written, is imgtool.operations.files.change's to say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from imgtool.chip import SECTOR
from imgtool.device.events import Event, ignore
from imgtool.engine.connecting import DeviceReader, connected
from imgtool.engine.jobs.files.holder import session_of
from imgtool.errors import ChipError, ImgtoolError, InterruptedRunError, PortError, VerifyError
from imgtool.operations.files.reading import differing
from imgtool.operations.flashing import transfer
from imgtool.operations.flashing.safeguards import check_saved, files_saved
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.device.events import Listener
    from imgtool.device.session import ConnectOptions, Session
    from imgtool.device.wire import Wire
    from imgtool.operations.assemble.pieces import Piece
    from imgtool.operations.files.change import FileChange
    from imgtool.operations.files.reading import ReadFileSystem
    from imgtool.operations.flashing.safeguards import SaveBackup, SavedBackup
    from imgtool.operations.flashing.transfer import Transfer
    from imgtool.operations.inspect.device_settings import Reader

__all__ = ["BoardChange", "DropCopy", "Keeping", "change_board"]

_UNTOUCHED: Final = "nothing was written"
_IN_PARTS: Final = "the file system may be incomplete"
_SHOWN: Final = 8

DropCopy = Callable[[str], None]
"""Takes a saved copy away that is not needed any more, by what the one who saved it has said where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What becomes of the file system as it was.

    Attributes:
        save: Saves it before anything is written.
        drop: Takes that copy away once all files were read back; None keeps it.
    """

    save: SaveBackup | None = None
    drop: DropCopy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardChange:
    """What was done to the files on a board.

    Attributes:
        change: What changed; None where there was nothing to be done.
        written: Bytes of the sectors that were written.
        verified: How: ``digest`` or ``readback``; empty where nothing was written.
        retries: How often something was done again.
        seconds: By the clock of the line, from the first byte that was written to the last check.
        stub: What was worked through.
        baud: The speed.
        saved: The copy of the file system as it was; None where there is none any more.
        mac: The chip's MAC address.
    """

    change: FileChange | None
    written: int = 0
    verified: str = ""
    retries: int = 0
    seconds: float = 0.0
    stub: str = ""
    baud: int = 0
    saved: SavedBackup | None = None
    mac: str = ""

    @property
    def fields(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "mac": self.mac,
            "stub": self.stub,
            "baud": self.baud,
            "bytes": self.written,
            "verified": self.verified or None,
            "retries": self.retries,
            "seconds": round(self.seconds, 3),
            "saved": None if self.saved is None else asdict(self.saved),
        }


def change_board(  # noqa: PLR0913 - who, where, what, and what is heard of it
    wire: Wire,
    connect: ConnectOptions | None,
    at: int | None,
    planned: Callable[[ReadFileSystem], FileChange | None],
    keeping: Keeping,
    on_event: Listener = ignore,
    *,
    dry_run: bool = False,
) -> BoardChange:
    """Change the files on a board, and start its firmware again.

    Args:
        wire: An open port, which stays open.
        connect: How to connect; None for the usual way.
        at: Where the file system begins; None for the one in use.
        planned: What is to change of it; None for nothing.
        keeping: Saves the file system as it was.
        on_event: Told what happens; what it raises stops the job.
        dry_run: Whether nothing is to be written.

    Raises:
        UsageError: Nobody saves the copy, or nothing tells which of several file systems is meant.
        FormatError: The file system is damaged, or not one that imgtool writes.
        LayoutError: None is found, the files do not fit, or have names that cannot be.
        ChipError: The chip is silent, or refuses.
        PortError: The port is lost and does not come back.
        VerifyError: The flash does not hold what was written.
        InterruptedRunError: It was stopped; it says what is on the board now.
    """
    check_saved(backup=not dry_run, save=keeping.save)
    run = _Run(keeping, on_event)
    try:
        with connected(wire, connect, run.hear) as session:
            held = session_of(session, at, on_event).held
            change = planned(held.read(held.chosen(at)))
            if change is None or dry_run or not change.sectors:
                return BoardChange(change=change, stub=session.flasher.name, baud=session.baud)
            return run.go(session, change)
    except (ImgtoolError, KeyboardInterrupt) as error:
        raise run.with_what_is_left(error) from None


class _Run:
    """A change under way, and what is known of it."""

    def __init__(self, keeping: Keeping, on_event: Listener) -> None:
        self._keeping = keeping
        self._on_event = on_event
        self._saved: SavedBackup | None = None
        self._start = 0
        self._left = _UNTOUCHED

    def hear(self, event: Event) -> None:
        """Hand an event on."""
        if event.stage in ("erase", "write"):
            self._left = _IN_PARTS
        self._on_event(event)

    def go(self, session: Session, change: FileChange) -> BoardChange:
        """Save, write, read back."""
        self._start = change.kept.found.start
        self._saved = files_saved(session, change.kept, self._keeping.save, self._on_event)
        clock = session.wire.clock
        begun = clock.monotonic()
        # An erase may be under way before the first event tells of it.
        self._left = _IN_PARTS
        done = [self._write(session, step) for step in change.steps]
        self._check(session, change)
        seconds = clock.monotonic() - begun
        saved: SavedBackup | None = self._saved
        if self._keeping.drop is not None:
            self._keeping.drop(self._saved.path)
            saved = None
        return BoardChange(
            change=change,
            written=sum(each.written + each.erased for each in done),
            verified=done[-1].verified,
            retries=sum(each.retries for each in done),
            seconds=seconds,
            stub=done[-1].stub,
            baud=done[-1].baud,
            saved=saved,
            mac=session.chip.mac,
        )

    def _write(self, session: Session, step: Sequence[Piece]) -> Transfer:
        # Without a stub the sectors are read back as well: nothing else would tell what the flash took.
        return transfer.transfer(session, transfer.Job(tuple(step), verify="readback"), self.hear)

    def _check(self, session: Session, change: FileChange) -> None:
        """Read the files back.

        Raises:
            VerifyError: One is not as it should be.
        """
        reader = DeviceReader(session, self._on_event)
        read = reader if reader.quick else _beside(reader, change)
        wrong = differing(change.files, change.kept.found, read)
        if not wrong:
            return
        names = Phrase.joined(", ", [Name(name) for name in wrong[:_SHOWN]])
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise VerifyError(
            Phrase(f"{len(wrong)} of {len(change.files)} files read back differently: ", names, more),
            offset=self._start,
            cause="the flash holds what was written, but its file system does not read as it should",
        )

    def with_what_is_left(self, error: BaseException) -> ImgtoolError:
        """The error with what a broken run has left on the board."""
        touched = self._left != _UNTOUCHED
        if isinstance(error, KeyboardInterrupt | InterruptedRunError):
            error = InterruptedRunError(f"interrupted: {self._left}")
        if not isinstance(error, ImgtoolError):
            raise error
        if touched and isinstance(error, PortError | ChipError):
            error.add_note(self._left)
        if self._saved is not None:
            name = Name(self._saved.path)
            error.add_note(
                Phrase("the files as they were are in ", name, f": imgtool flash 0x{self._start:x} ", name)
            )
        return error


def _beside(reader: Reader, change: FileChange) -> Reader:
    """Reads what was written from the board, and has the rest as it was read before.

    Without a stub a kilobyte takes most of a second.
    """
    start = change.kept.found.start
    written = {piece.address for piece in change.sectors}

    def read(address: int, size: int) -> bytes:
        first, last = address // SECTOR * SECTOR, (address + size - 1) // SECTOR * SECTOR
        if written.isdisjoint(range(first, last + SECTOR, SECTOR)):
            return change.image[address - start : address - start + size]
        return reader(address, size)

    return read
