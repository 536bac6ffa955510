"""What an upgrade will do to files, LFS, settings and init data: of a dump, an image, or a board.

Not the judgement, which is :mod:`imgtool.operations.advise.judgement`'s; the plan in it is that of ``flash``.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from imgtool.chip import flash_size
from imgtool.device.events import Event, ignore
from imgtool.engine.connecting import DeviceReader, connected
from imgtool.engine.cures import filled
from imgtool.engine.descriptions import firmware_words
from imgtool.engine.documents import cure_fields, document, firmware_fields
from imgtool.engine.placing import placed, size_name
from imgtool.engine.plans import plan_fields
from imgtool.engine.results import Row, Table, Tone, Toned, Words
from imgtool.engine.spelling import Names
from imgtool.engine.stopping import stoppable
from imgtool.engine.verdicts import DONE, NO
from imgtool.errors import FormatError, LayoutError, UsageError
from imgtool.operations.advise import judgement
from imgtool.operations.advise.old_flash import old_flash
from imgtool.operations.assemble.extras import InitDataSource
from imgtool.operations.assemble.joining import join, lay_out
from imgtool.operations.assemble.places import place, start_in
from imgtool.operations.assemble.wrong_files import refuse_wrong_files
from imgtool.operations.flashing import transfer
from imgtool.operations.flashing.draft import PlanRequest
from imgtool.operations.flashing.plan import check_files
from imgtool.operations.upgrade.side import OldFlash
from imgtool.operations.upgrade.values import AdviceVerdict
from imgtool.phrase import Name, Phrase
from imgtool.quantities import capacity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.device.events import Listener
    from imgtool.device.session import ConnectOptions
    from imgtool.device.wire import Wire
    from imgtool.engine.documents import Document
    from imgtool.engine.inputs import InputFile
    from imgtool.engine.jobs.virtual.agreement import HeldPoint
    from imgtool.engine.jobs.virtual.rehearsal import Rehearsal
    from imgtool.engine.results import Output
    from imgtool.operations.flashing.plan import FlashPlan
    from imgtool.operations.upgrade.values import AdvicePoint, FirmwareAdvice

__all__ = ["AdviseRequest", "AdviseResult", "advise", "check_new"]

_STEPS: Final = 2
_NOT_REHEARSED: Final = "nothing was rehearsed, as imgtool would not write it"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseRequest:
    """An upgrade that is thought of.

    Attributes:
        files: The new firmware, as for ``flash``.
        old: The flash before: a dump, the image that was flashed, or its halves; none where a board is asked.
        old_name: What to call that; empty for the name of its first file.
        size: Name of the flash's size, where ``old`` does not tell it.
        spelled: How the new firmware is named on a command line, for the commands of cures; none for the
            names of its files.
        keep_files: Whether the files that are there are to be carried over, as ``flash --keep-files`` does.
        rehearse: Whether the write is booted on the virtual board, too; not with a board.
        rom: A dump of the boot ROM for that; None for none.
        connect: How to connect to a board; None for the usual way.
    """

    files: tuple[InputFile, ...]
    old: tuple[InputFile, ...] = ()
    old_name: str = ""
    size: str | None = None
    spelled: tuple[str, ...] | None = None
    keep_files: bool = False
    rehearse: bool = False
    rom: InputFile | None = field(default=None, repr=False)
    connect: ConnectOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseResult:
    """What an upgrade will do.

    Attributes:
        advice: Topic by topic, with what is lost and what can be done.
        plan: The write that it is about, as ``flash`` would plan it; None where it would be refused.
        old_name: What the flash before is called.
        new_names: How the new firmware is spelled.
        rehearsal: What the firmware did on the virtual board; None where nothing was rehearsed.
        held: The points of the advice held against that.
    """

    advice: FirmwareAdvice
    plan: FlashPlan | None = field(repr=False)
    old_name: str
    new_names: tuple[str, ...] = field(repr=False)
    rehearsal: Rehearsal | None = field(repr=False, default=None)
    held: tuple[HeldPoint, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is lost, the firmware will start, both are known, and no rehearsal contradicts."""
        starts = self.rehearsal is None or self.rehearsal.ok
        return self.advice.ok and starts and all(point.agrees for point in self.held)

    @property
    def code(self) -> int:
        """The exit code."""
        return DONE if self.ok else NO

    @property
    def document(self) -> Document:
        """What ``imgtool advise --json`` prints."""
        fields = _fields(self)
        return document("advise", ok=self.ok, results=[fields], warnings=self.advice.notes)

    @property
    def words(self) -> Words:
        """What a person is told."""
        advice = self.advice
        points = tuple(
            (str(point.topic), Toned(str(point.verdict), _tone(point)), point.reason)
            for point in advice.points
        )
        tables = (Table(rows=points, head=("what", "verdict", "why")),) if points else ()
        if advice.elsewhere:
            tables = (*tables, Table(rows=(), title=advice.elsewhere))
        if self.rehearsal is not None:
            tables = (*tables, *_rehearsed(self.rehearsal, self.held))
        return Words(
            verdict=advice.sentence,
            tone=Tone.GOOD if self.ok else Tone.WRONG,
            rows=_rows(self.old_name, advice),
            tables=tables,
            notes=advice.notes,
            cures=advice.cures,
        )

    @property
    def outputs(self) -> tuple[Output, ...]:
        """None: nothing is made."""
        return ()


def advise(request: AdviseRequest, wire: Wire | None = None, on_event: Listener = ignore) -> AdviseResult:
    """Say what an upgrade will do; nothing is written.

    Args:
        request: The upgrade.
        wire: The board whose flash is the one before, as an open port that stays open; None where the request
            has that flash.
        on_event: Told what happens; what it raises stops the job.

    Raises:
        UsageError: There is nothing before or nothing new, or a word has no meaning.
        FormatError: What is before is neither a dump nor an image.
        LayoutError: The capacity of the flash is not known, or files overlap.
        ChipError: The chip is silent, or the content comes broken every time.
        PortError: The port is lost and does not come back.
        InterruptedRunError: It was stopped.
    """
    with stoppable("nothing was changed"):
        new = _planned(request)
        files = place(lay_out(new.pieces)) if new.pieces else ()
        refuse_wrong_files(files, start_in(files))
        words = request.spelled if request.spelled is not None else tuple(file.name for file in request.files)
        if wire is None:
            name = request.old_name or (request.old[0].name if request.old else "")
            on_event(Event("advise", 0, _STEPS, name))
            old = _of_files(request, name)
            on_event(Event("advise", 1, _STEPS, name))
            found = judgement.judge(old, new)
            on_event(Event("advise", _STEPS, _STEPS, name))
            rehearsal, held = _rehearsal(request, old, found, on_event)
        else:
            name = wire.name
            rehearsal, held = None, ()
            if request.rehearse:
                raise UsageError("a board is rehearsed by flash", expected="a dump as OLD", found=Name(name))
            if request.old or request.size is not None:
                raise UsageError("a board tells all of that itself", expected="a board alone", found="more")
            found = _of_board(wire, request, new, on_event)
        names = _names(words, None if wire is None else name)
        cures = tuple(filled(cure, names) for cure in found.advice.cures)
        notes = [_NOT_REHEARSED] if request.rehearse and rehearsal is None else []
        return AdviseResult(
            advice=replace(found.advice, cures=cures, notes=(*found.advice.notes, *notes)),
            plan=found.plan,
            old_name=name,
            new_names=words,
            rehearsal=rehearsal,
            held=held,
        )


def _rehearsal(
    request: AdviseRequest, old: OldFlash, found: judgement.Judgement, on_event: Listener
) -> tuple[Rehearsal | None, tuple[HeldPoint, ...]]:
    """Boot what the write would make of the flash, and hold the advice against that."""
    if not request.rehearse:
        return None, ()
    from imgtool.engine.jobs.virtual import agreement, rehearsal  # noqa: PLC0415 - few upgrades are rehearsed

    rehearsal.check_rom(request.rom)
    if found.plan is None:  # it is refused, and the advice says why
        return None, ()
    before = rehearsal.flash_of_dump(old.read(0, old.size), old.capacity)
    made = rehearsal.rehearse(before, found.plan, request.rom, on_event)
    return made, agreement.held_against(found.advice.points, made, old)


def check_new(request: AdviseRequest) -> None:
    """Look at the new firmware, so that what is wrong with it for any board is said before a port is opened.

    Raises:
        UsageError: There is nothing new, or files without addresses.
        FormatError: A file is damaged, or is not for the flash of an ESP8266.
        LayoutError: Files overlap, or stand where they do not belong.
    """
    check_files(_planned(request))


def _planned(request: AdviseRequest) -> PlanRequest:
    files = placed(request.files)
    return PlanRequest(files.pieces, files.named, init_data=InitDataSource(), keep_files=request.keep_files)


def _names(words: Sequence[str], port: str | None) -> Names:
    board = "" if port is None else f"-p {shlex.quote(port)} "
    return Names(shlex.join(words) if words else ".", port=board)


def _of_files(request: AdviseRequest, name: str) -> OldFlash:
    """The flash before, of a file or of the halves of an image."""
    if not request.old:
        raise UsageError("nothing tells what is in the flash now", expected="a file or a board")
    capacity_ = None if request.size is None else flash_size(size_name(request.size)[0]).bytes
    files = placed(request.old)
    if files.named:
        raise UsageError(
            "OLD has no named places", expected="a dump, an image, or a folder", found=Name(name)
        )
    ordered = lay_out(files.pieces)
    if ordered[0].address:
        raise UsageError(
            "OLD does not begin at flash address 0",
            expected="a dump, an image for 0x00000, or a folder with both halves",
            found=Phrase(Name(name), f", for 0x{ordered[0].address:05x}"),
        )
    data = join(ordered, ordered[-1].end, 0xFF)
    try:
        return old_flash(data, capacity_)
    except LayoutError as error:
        if capacity_ is None:
            raise UsageError(error.message, expected="--flash-size SIZE", found=Name(name)) from None
        raise error.with_source(name) from None
    except FormatError as error:
        raise error.with_source(name) from None


def _of_board(
    wire: Wire, request: AdviseRequest, new: PlanRequest, on_event: Listener
) -> judgement.Judgement:
    """Ask a board; its firmware is started again afterwards."""
    with connected(wire, request.connect, on_event) as session:
        size = session.flash.bytes
        if size is None:
            raise LayoutError(
                "the capacity of the flash is not known",
                source=wire.name,
                expected="a flash ID that tells it",
                found=session.flash.id.hex(),
            )
        old = OldFlash(DeviceReader(session, on_event), size, size, "device", embedded=session.chip.embedded)
        return judgement.judge(old, new, lambda pieces: transfer.compared(session, pieces, on_event))


# Words and documents.


def _tone(point: AdvicePoint) -> Tone:
    if not point.ok:
        return Tone.WRONG if point.verdict is not AdviceVerdict.UNKNOWN else Tone.CARE
    return Tone.GOOD if point.verdict in (AdviceVerdict.KEPT, AdviceVerdict.NONE) else Tone.CARE


def _rows(old: str, result: FirmwareAdvice) -> tuple[Row, ...]:
    """Old firmware, new firmware and flash, a row each."""
    header = f", header {result.flash_size}" if result.flash_size else ""
    what = "board at" if result.old_kind == "device" else result.old_kind
    known = firmware_words(result.old) or "no firmware that imgtool knows"
    return (
        Row("old", Phrase(f"{known} ({what} ", Name(old), ")")),
        Row("new", firmware_words(result.new) or result.new_kind),
        Row("flash", f"{capacity(result.flash_bytes)}{header}"),
    )


def _rehearsed(rehearsal: Rehearsal, held: Sequence[HeldPoint]) -> tuple[Table, ...]:
    """What the firmware did in memory, and where the advice says something else."""
    from imgtool.engine.jobs.virtual.agreement import agreement_table  # noqa: PLC0415 - few are rehearsed
    from imgtool.engine.jobs.virtual.rehearsal import rehearsal_report  # noqa: PLC0415 - likewise

    words = rehearsal_report(rehearsal)
    rows = tuple((row.name, row.text) for row in words.rows)
    wrong = [point.topic for point in held if not point.agrees]
    verdict = f"the advice is contradicted: {', '.join(wrong)}" if wrong else "the advice agrees with it"
    return (
        Table(rows=(), title=words.verdict),
        Table(rows=rows),
        Table(rows=(), title=f"Held against the rehearsal, {verdict}."),
        agreement_table(held),
    )


def _fields(made: AdviseResult) -> dict[str, Any]:
    result = made.advice
    return {
        "old": {"path": made.old_name, "kind": result.old_kind, "firmware": firmware_fields(result.old)},
        "new": {
            "paths": list(made.new_names),
            "kind": result.new_kind,
            "firmware": firmware_fields(result.new),
        },
        "flash": {"bytes": result.flash_bytes, "size": result.flash_size},
        "sentence": result.sentence,
        "points": [_point(point) for point in result.points],
        "elsewhere": {"sentence": result.elsewhere, "points": [_point(point) for point in result.other]},
        "plan": None if made.plan is None else plan_fields(made.plan),
        "cures": [cure_fields(cure) for cure in result.cures],
        "notes": list(result.notes),
        "rehearsal": _rehearsal_fields(made),
    }


def _rehearsal_fields(made: AdviseResult) -> dict[str, Any] | None:
    if made.rehearsal is None:
        return None
    from imgtool.engine.jobs.virtual.agreement import agreement_fields  # noqa: PLC0415 - few are rehearsed
    from imgtool.engine.jobs.virtual.rehearsal import rehearsal_fields  # noqa: PLC0415 - likewise

    return {**rehearsal_fields(made.rehearsal), "held": agreement_fields(made.held)}


def _point(point: AdvicePoint) -> dict[str, Any]:
    return {
        "topic": str(point.topic),
        "verdict": str(point.verdict),
        "ok": point.ok,
        "reason": point.reason,
        "source": point.source or None,
    }
