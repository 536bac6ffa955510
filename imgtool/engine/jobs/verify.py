"""Whether the flash of a board holds what ``flash`` would write: where it differs, and what that means.

Not the comparing (imgtool.operations.flashing.transfer).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from imgtool.chip import SECTOR
from imgtool.device.events import ignore
from imgtool.engine.chips import work_fields
from imgtool.engine.connecting import DeviceReader, connected, target_of
from imgtool.engine.documents import document
from imgtool.engine.jobs.flash import DETECT, FlashRequest, judged
from imgtool.engine.placing import KEEP
from imgtool.engine.results import Row, Table, Tone, Toned, Words
from imgtool.engine.stopping import stoppable
from imgtool.engine.verdicts import DONE, NO
from imgtool.formats.reading import Header
from imgtool.operations.flashing import transfer, waivers
from imgtool.operations.flashing.checks import check_room
from imgtool.operations.flashing.init_data import wants_init
from imgtool.operations.flashing.plan import plan_flash
from imgtool.quantities import duration, in_bytes

if TYPE_CHECKING:
    from imgtool.device.events import Listener
    from imgtool.device.session import ConnectOptions, Session
    from imgtool.device.wire import Wire
    from imgtool.engine.documents import Document
    from imgtool.engine.inputs import InputFile
    from imgtool.engine.jobs.flash import JudgedFiles
    from imgtool.engine.results import Output
    from imgtool.operations.assemble.pieces import Piece
    from imgtool.operations.flashing.plan import FlashPlan
    from imgtool.operations.flashing.transfer import Mismatch

__all__ = ["SectorDifference", "VerifyRequest", "VerifyResult", "judged_for_verify", "verify", "verify_board"]

_HEADER_FIELDS = (2, 3)  # flash mode; flash size and frequency
_HEADER_END = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRequest:
    """What the flash of a board should hold.

    Attributes:
        files: As for ``flash``.
        init_data: ``none``, or ``v05``, ``v08`` or ``default`` as for ``flash``; the RF calibration beside it
            is not compared, as the firmware makes that.
        mode: Flash mode in the header, or ``keep``.
        freq: Flash frequency, or ``keep``.
        size: Flash size in the header: ``detect``, ``keep``, or the name of one; with ``keep`` and no other
            change the files are compared as they are.
        old_size: The same as esptool's ``-fs`` has it; None for ``size`` alone.
        connect: How to connect; None for the usual way.
    """

    files: tuple[InputFile, ...]
    init_data: str = "none"
    mode: str = KEEP
    freq: str = KEEP
    size: str = DETECT
    old_size: str | None = None
    connect: ConnectOptions | None = None


class SectorDifference(NamedTuple):
    """A sector that differs: the first byte that does, what should be there, what is, and what it means."""

    address: int
    expected: bytes
    found: bytes
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyResult:
    """What was compared, and what differs.

    Attributes:
        pieces: What should be in the flash.
        plan: The plan that they come from; None for files as they are.
        changes: How that differs from the files, in words.
        differences: The sectors that differ.
        seconds: How long it took, by the clock of the port.
        note: What is to be said of the request; None for nothing.
        document: What ``imgtool verify --json`` prints.
    """

    pieces: tuple[Piece, ...] = field(repr=False)
    plan: FlashPlan | None = field(repr=False)
    changes: tuple[str, ...]
    differences: tuple[SectorDifference, ...]
    seconds: float
    note: str | None
    document: Document = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether the flash holds it all."""
        return not self.differences

    @property
    def code(self) -> int:
        """The exit code."""
        return NO if self.differences else DONE

    @property
    def words(self) -> Words:
        """What a person is told."""
        size = in_bytes(sum(len(piece.data) for piece in self.pieces))
        took = f"{size} compared in {duration(self.seconds)}"
        count = len(self.differences)
        if not count:
            return Words(verdict=f"the flash holds it: {took}", tone=Tone.GOOD, changes=self.changes)
        sectors = f"{count} sector{'s' if count > 1 else ''}"
        return Words(
            verdict=f"the flash differs in {sectors}: {took}",
            tone=Tone.WRONG,
            tables=tuple(_table(each) for each in self.differences),
            changes=self.changes,
        )

    @property
    def outputs(self) -> tuple[Output, ...]:
        """None: nothing is made."""
        return ()


def _table(difference: SectorDifference) -> Table:
    """A sector that differs: where, what should be there, what is."""
    where = f"0x{difference.address:06x}"
    rows = tuple(
        (Toned(row.name, Tone.DIM), row.text)
        for row in (
            Row("expected", difference.expected.hex(" ")),
            Row("found", difference.found.hex(" ")),
        )
    )
    return Table(rows=rows, title=f"{where}  {difference.meaning}".rstrip())


def judged_for_verify(request: VerifyRequest) -> JudgedFiles:
    """Look at the files of a request, so that what is wrong with them is said before a port is opened.

    Raises:
        UsageError: A word that has no meaning, or files without addresses.
        LayoutError: Files overlap.
    """
    files = judged(
        FlashRequest(
            files=request.files,
            mode=request.mode,
            freq=request.freq,
            size=request.size,
            old_size=request.old_size,
            init_data=request.init_data,
            force=frozenset(waivers.CHECKS),
        )
    )
    return replace(files, plan=replace(files.plan, blank_rf_cal=False))


def verify(wire: Wire, request: VerifyRequest, on_event: Listener = ignore) -> VerifyResult:
    """Compare the flash of a board with what ``flash`` would write.

    Args:
        wire: An open port, which stays open.
        request: What should be there.
        on_event: Told what happens; what it raises stops the job.

    Raises:
        UsageError: A word of the request has no meaning.
        LayoutError: Something goes beyond the end of the flash, or overlaps.
        ChipError: The chip is silent, or the content comes broken every time.
        PortError: The port is lost and does not come back.
        InterruptedRunError: It was stopped.
    """
    return verify_board(wire, request, judged_for_verify(request), on_event)


def verify_board(
    wire: Wire, request: VerifyRequest, files: JudgedFiles, on_event: Listener = ignore
) -> VerifyResult:
    """The same, with the files looked at already, as :func:`judged_for_verify` does it."""
    with (
        stoppable("the flash is as it was"),
        connected(wire, request.connect, on_event) as session,
    ):
        clock = session.wire.clock
        start = clock.monotonic()
        plan = _plan(files, session, on_event)
        pieces = files.plan.pieces if plan is None else plan.pieces
        found = transfer.verify(session, pieces, on_event)
        differences = tuple(_judged(each, pieces, session) for each in found)
        seconds = clock.monotonic() - start
        changes = () if plan is None else plan.changes
        return VerifyResult(
            pieces=pieces,
            plan=plan,
            changes=changes,
            differences=differences,
            seconds=seconds,
            note=files.note,
            document=document(
                "verify",
                ok=not differences,
                results=[_fields(session, pieces, changes, differences, seconds)],
            ),
        )


def _plan(files: JudgedFiles, session: Session, on_event: Listener) -> FlashPlan | None:
    """The plan of what should be in the flash; None for the files as they are."""
    plan = files.plan
    as_they_are = plan.size_choice == KEEP and not plan.header.any
    if as_they_are and not plan.named and not wants_init(plan):
        check_room(plan.pieces, session.flash.bytes, frozenset())
        return None
    return plan_flash(plan, target_of(session), DeviceReader(session, on_event), weigh=False)


def _judged(mismatch: Mismatch, pieces: tuple[Piece, ...], session: Session) -> SectorDifference:
    """A difference, and whether it is one of the image header alone."""
    meaning = _of_header(mismatch, pieces, session)
    return SectorDifference(mismatch.address, mismatch.expected, mismatch.found, meaning)


def _of_header(mismatch: Mismatch, pieces: tuple[Piece, ...], session: Session) -> str:
    """Which fields of the image header differ, if nothing else in the first sector does."""
    if mismatch.address not in _HEADER_FIELDS:
        return ""
    first = pieces[0]
    there = transfer.read_flash(session, 0, _HEADER_END)
    as_there = replace(first, data=there + first.data[_HEADER_END:SECTOR])
    if transfer.verify(session, [as_there]):
        return ""
    wanted, found = (Header(1, 0, data[2], data[3]) for data in (first.data, there))
    names = [
        f"{name} {getattr(found, name) or '?'} instead of {getattr(wanted, name) or '?'}"
        for name in ("mode", "freq", "size")
        if getattr(wanted, name) != getattr(found, name)
    ]
    return f"only the image header: {', '.join(names)}"


def _fields(
    session: Session,
    pieces: tuple[Piece, ...],
    changes: tuple[str, ...],
    differences: tuple[SectorDifference, ...],
    seconds: float,
) -> dict[str, Any]:
    told = [
        {
            "address": each.address,
            "expected": each.expected.hex(),
            "found": each.found.hex(),
            "header_only": bool(each.meaning),
        }
        for each in differences
    ]
    return {
        **work_fields(session),
        "parts": [{"name": p.name, "address": p.address, "size": len(p.data)} for p in pieces],
        "changes": list(changes),
        "differences": told,
        "seconds": round(seconds, 3),
    }
