"""How tool authors use imgtool.  Never run, but read by the type checker: it tests the public types."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import imgtool
from imgtool import (
    ActiveSlot,
    AdvicePoint,
    AdviceVerdict,
    AdviseRequest,
    Boot,
    BuildRequest,
    BuiltOutput,
    Cell,
    Checksum,
    ChipIdentity,
    CompareRequest,
    Comparison,
    ConnectOptions,
    Crash,
    Cure,
    Description,
    DiffState,
    Document,
    ElfSymbols,
    Ended,
    EraseRange,
    EraseRequest,
    Event,
    ExplainRequest,
    Explanation,
    ExtractedPart,
    ExtractRequest,
    Fate,
    FileKind,
    FilesTaken,
    Finding,
    Firmware,
    FirmwareAdvice,
    FlashChip,
    FlashPlan,
    FlashRequest,
    FlashResult,
    FlashState,
    FormatError,
    FullImage,
    FullImageRequest,
    Header,
    IdRequest,
    IdResult,
    ImgtoolError,
    InputFile,
    InspectRequest,
    InspectResult,
    InterruptedRunError,
    Kept,
    LayoutError,
    Lines,
    Listener,
    Loss,
    LossKind,
    MemoryUse,
    MergeRequest,
    Monitor,
    MonitorEnd,
    MonitorEvent,
    MonitorRequest,
    MonitorResult,
    Output,
    Part,
    Patched,
    PatchRequest,
    Piece,
    PlannedEvent,
    PortChange,
    PortInfo,
    ProveRequest,
    ReadRequest,
    Result,
    Row,
    Severity,
    SimPort,
    Split,
    SplitRequest,
    StoredFile,
    StoredNetwork,
    Table,
    TableChange,
    Tone,
    Toned,
    Topic,
    Transfer,
    Verb,
    Verdict,
    VerifyError,
    VerifyRequest,
    WatchLine,
    WatchNote,
    WatchSpeed,
    WatchText,
    Wire,
    WireTraits,
    Words,
    Write,
)


def told(result: Result) -> tuple[bool, int, Document, list[str]]:
    """What all results have."""
    outputs: tuple[Output, ...] = result.outputs
    for name, data in outputs:
        Path(name).write_bytes(data)
    words: Words = result.words
    rows: tuple[Row, ...] = words.rows
    tables: tuple[Table, ...] = words.tables
    cells: list[Cell] = [cell for table in tables for row in table.rows for cell in row]
    texts: list[str] = [cell.text if isinstance(cell, Toned) else cell for cell in cells]
    wrong: bool = words.tone is Tone.WRONG
    return result.ok and not wrong, result.code, result.document, [*texts, *(row.text for row in rows)]


def as_input(path: Path, place: int | str | None = None) -> InputFile:
    return InputFile(str(path), path.read_bytes(), place)


def is_whole(path: Path) -> bool:
    result: InspectResult = imgtool.inspect(InspectRequest((as_input(path),), show_credentials=True))
    description: Description = result.files[0].description
    networks: tuple[StoredNetwork, ...] = result.files[0].networks or ()
    kind: FileKind = description.kind
    wrong: list[Finding] = [f for f in description.findings if f.severity is Severity.ERROR]
    checks: list[tuple[Part, Checksum]] = list(description.checksums)
    whole = all(check.ok for _, check in checks) and not networks
    told(result)
    return description.ok and kind is FileKind.AGGREGATED and not wrong and whole


def names(description: Description) -> tuple[str | None, str | None, str | None]:
    firmware: Firmware | None = description.firmware
    header: Header | None = description.header
    state: FlashState | None = description.state
    active: ActiveSlot | None = None if state is None else state.active_slot
    return (
        firmware.version if firmware else None,
        header.size if header else None,
        active.name if active else None,
    )


def made(folder: Path) -> bytes:
    files = tuple(as_input(folder / f"0x{address:05x}.bin") for address in (0, 0x10000))
    merged = imgtool.merge(MergeRequest(files=files, fill=0xFF, mode="dio", size="4MB"))
    told(merged)
    parts: Split = imgtool.split(SplitRequest(InputFile("again", merged.output.data))).parts
    pieces: tuple[Piece, ...] = (*merged.merged.pieces, *parts.pieces)
    try:
        whole = imgtool.fullimage(
            FullImageRequest(files=files, size="4MB", init_fields={"vdd33_const": "33"})
        )
    except (FormatError, LayoutError) as error:
        problem: ImgtoolError = error
        raise SystemExit(str(problem)) from None
    image: FullImage = whole.image
    told(whole)
    return image.data + b"".join(piece.data for piece in pieces)


def patched(file: InputFile) -> tuple[bytes, list[str]]:
    request = PatchRequest(
        file=file,
        mode="dio",
        table=TableChange(lfs_size=0x20000),
        writes=(Write(0x40210000, b"12"),),
    )
    result = imgtool.patch(request)
    change: Patched = result.patched
    told(result)
    return result.data, [f"{edit.field}: {edit.old} -> {edit.new}" for edit in change.edits]


def built(elf: InputFile) -> int:
    result = imgtool.build(BuildRequest(elf=elf, version=2, slot=1, use_segments=False, dry_run=True))
    files: tuple[BuiltOutput, ...] = result.files
    memory: tuple[MemoryUse, ...] = result.built.memory
    told(result)
    return min(use.free for use in memory) + sum(len(file.data) for file in files)


def taken(file: InputFile) -> dict[str, bytes]:
    result = imgtool.extract(ExtractRequest(file=file, output="files", files=True))
    parts: tuple[ExtractedPart, ...] = result.extraction.parts
    files: FilesTaken | None = result.files
    stored: list[StoredFile] = [] if files is None else [row.file for row in files.rows]
    told(result)
    return {part.file: part.data for part in parts} | {file.path: file.data for file in stored}


def is_intact(flashed: InputFile, read_back: InputFile) -> list[str]:
    result = imgtool.compare(CompareRequest(flashed, read_back, exact=True))
    comparison: Comparison = result.comparison
    told(result)
    return [each.reason for each in comparison.regions if each.state is DiffState.DIFFERS]


def survives(dump: InputFile, image: InputFile) -> list[str]:
    result = imgtool.advise(AdviseRequest(files=(image,), old=(dump,)))
    advice: FirmwareAdvice = result.advice
    files: AdvicePoint | None = advice.point(Topic.FILES)
    kept: bool = files is not None and files.verdict is AdviceVerdict.KEPT
    lost: list[Loss] = [loss for loss in advice.losses if loss.kind is LossKind.FILES]
    told(result)
    return [] if kept and not lost else [command for cure in advice.cures for command in cure.commands]


def crashed_in(log: bytes | str, elf: InputFile) -> list[str]:
    result = imgtool.explain(ExplainRequest(log=log, elfs=(elf,)))
    explanation: Explanation = result.explanation
    crash: Crash | None = explanation.crash
    boots: tuple[Boot, ...] = explanation.boots
    cures: tuple[Cure, ...] = explanation.cures
    told(result)
    if explanation.verdict is Verdict.NOTHING_KNOWN or crash is None or not boots:
        return [action.verb.value for cure in cures for action in cure.actions if action.verb is Verb.READ]
    return [frame.function or "" for frame in explanation.frames]


def identified(port: str) -> tuple[str, str | None]:
    ports: tuple[PortInfo, ...] = imgtool.list_ports()
    with closing(imgtool.open_wire(port or ports[0].path)) as wire:
        result: IdResult = imgtool.identify(wire, IdRequest())
    chip: ChipIdentity | None = result.chip
    flash: FlashChip = result.flash
    told(result)
    return chip.mac if chip else "", flash.part


def flashed(path: Path, wire: Wire) -> str:
    losses: list[Loss] = []

    def listen(event: Event) -> None:
        if not isinstance(event, PlannedEvent):
            return
        plan: FlashPlan | None = event.result.plan
        if plan is None:
            return
        kept: list[Kept] = [each for each in plan.kept if each.fate is Fate.UNTOUCHED]
        losses.extend(plan.losses)
        if losses and kept:
            raise InterruptedRunError("not today")

    listener: Listener = listen
    options = ConnectOptions(baud=460_800, stub="auto")
    try:
        result: FlashResult = imgtool.flash(
            wire, FlashRequest(files=(as_input(path),), connect=options), listener
        )
    except VerifyError as error:
        return ", ".join(hex(sector) for sector in error.sectors) + error.cause
    except InterruptedRunError as error:
        return str(error)
    done: Transfer | None = result.transfer
    told(result)
    return done.verified if done else result.boot_note


def serviced(wire: Wire, path: Path) -> bytes:
    verified = imgtool.verify(wire, VerifyRequest(files=(as_input(path),)))
    addresses: list[int] = [each.address for each in verified.differences]
    backup = imgtool.read(wire, ReadRequest(output="backups", backup=datetime.now(UTC)))
    kept: list[Output] = []
    proof = imgtool.prove(wire, ProveRequest(moment=datetime.now(UTC), keep=kept.append)).proof
    whole = imgtool.erase(wire, EraseRequest("all"))
    part = imgtool.erase(wire, EraseRequest(EraseRange("", 0x1000, 0x1000)))
    for result in (verified, backup, whole, part):
        told(result)
    return backup.data if proof.ok and not addresses else b""


def watched(wire: Wire, symbols: tuple[ElfSymbols, ...]) -> list[str]:
    lines: list[str] = []
    monitor = Monitor(
        wire, MonitorRequest(symbols=symbols, seconds=5, until=re.compile("> $")), lambda _: None
    )
    while not monitor.over:
        events: list[MonitorEvent] = monitor.step()
        for event in events:
            if isinstance(event, WatchLine | WatchText | WatchNote):
                lines.append(event.text)
            elif isinstance(event, WatchSpeed):
                lines.append(f"{event.baud} baud")
            elif isinstance(event, PortChange):
                lines.append("back" if event.there else "lost")
            else:
                end: MonitorEnd = event
                lines.append("found" if end.how is Ended.UNTIL else end.how.value)
    result: MonitorResult = monitor.result()
    told(result)
    return lines


class Own:
    """A port that is derived from nothing, and has all that the protocol lists."""

    def __init__(self, port: SimPort) -> None:
        self.name = "own"
        self.clock: imgtool.Clock = port.clock
        self.traits = WireTraits(lines=Lines.NONE)
        self._port = port

    def read(self, size: int, timeout: float) -> bytes:
        self._port.timeout = timeout
        return self._port.read(size)

    def write(self, data: bytes) -> None:
        self._port.write(data)

    def set_baud(self, baud: int) -> None:
        self._port.baudrate = baud

    def set_lines(self, dtr: bool, rts: bool) -> None:
        self._port.dtr, self._port.rts = dtr, rts

    def close(self) -> None:
        self._port.close()

    def drain(self) -> None:
        self._port.flush()

    def discard(self) -> None:
        self._port.reset_input_buffer()

    def reopen(self) -> None:
        self._port.open()


def own() -> Wire:
    return Own(imgtool.open_port("sim:4MB", baudrate=115200))
