"""How tool authors use imgtool.  Never run, but read by the type checker: it tests the public types."""

from __future__ import annotations

from pathlib import Path

import imgtool
from imgtool import (
    ActiveSlot,
    AdvicePoint,
    AdviceVerdict,
    Allocation,
    Assembled,
    Boot,
    BootCause,
    BootMessage,
    BootMode,
    BootSegment,
    Built,
    BuiltFile,
    BuiltSegment,
    Changes,
    Checksum,
    ChipError,
    ChipIdentity,
    Compared,
    Comparison,
    ConnectOptions,
    Crash,
    Cure,
    Description,
    Deviation,
    Difference,
    DiffState,
    Edit,
    ElfOutput,
    ElfSymbols,
    Event,
    Explanation,
    ExtractedPart,
    Extraction,
    Extras,
    FieldChange,
    FileKind,
    FileSystem,
    Finding,
    Firmware,
    FirmwareAdvice,
    FlashChip,
    FlashState,
    FormatError,
    Frame,
    FullImage,
    Header,
    HeaderChange,
    ImgtoolError,
    InitDataSource,
    InitDataState,
    Job,
    LayoutError,
    LfsState,
    LoaderLines,
    Manifest,
    MemoryUse,
    Merged,
    OldFlash,
    Part,
    PartKind,
    Patched,
    Pattern,
    Piece,
    PortError,
    PortInfo,
    Reading,
    RegionChange,
    RfCalSector,
    RfCalState,
    SectionUse,
    SegmentInfo,
    Session,
    Severity,
    SimPort,
    Slot,
    Speeds,
    Split,
    StackWord,
    StoredFile,
    StoredNetwork,
    SystemParamState,
    TableChange,
    Topic,
    Transfer,
    Verdict,
    VerifyError,
    Watch,
    WatchEvent,
    WatchLine,
    WatchNote,
    WatchSpeed,
    WatchText,
    Wire,
    Write,
)


def is_whole(path: Path) -> bool:
    description: Description = imgtool.describe(path.read_bytes())
    kind: FileKind = description.kind
    wrong: list[Finding] = [f for f in description.findings if f.severity is Severity.ERROR]
    checks: list[tuple[Part, Checksum]] = list(description.checksums)
    return description.ok and kind is FileKind.AGGREGATED and not wrong and all(c.ok for _, c in checks)


def segments_of(data: bytes) -> list[tuple[str | None, int, int]]:
    reading: Reading = imgtool.identify(data)
    segments: list[SegmentInfo] = [segment for part in reading.parts for segment in part.segments]
    return [(segment.memory, segment.address, segment.size) for segment in segments]


def names(data: bytes) -> tuple[str | None, str | None]:
    firmware: Firmware | None = imgtool.describe(data).firmware
    header: Header | None = imgtool.describe(data).header
    return (firmware.version if firmware else None, header.size if header else None)


def starts(data: bytes) -> tuple[str | None, list[str]]:
    state: FlashState | None = imgtool.describe(data).state
    active: ActiveSlot | None = None if state is None else state.active_slot
    slots: tuple[Slot, ...] = () if active is None else active.slots
    return (active.name if active else None, [slot.name for slot in slots])


def settings(state: FlashState, data: bytes) -> list[str]:
    lfs: LfsState | None = state.lfs
    init: InitDataState | None = state.init_data
    cal: RfCalState | None = state.rf_cal
    params: SystemParamState | None = state.system_param
    changed: tuple[Deviation, ...] = () if init is None else init.deviations
    found: tuple[StoredNetwork, ...] = () if params is None else imgtool.stored_networks(data, params)
    words = [each.words for each in (lfs, init, cal, params) if each is not None]
    return [*words, *(each.field for each in changed), *(each.ssid for each in found)]


def merged(folder: Path) -> bytes:
    pieces = [Piece(address, (folder / f"0x{address:05x}.bin").read_bytes(), "a") for address in (0, 0x10000)]
    image: Merged = imgtool.merge(pieces, header=HeaderChange(mode="dio", size="4MB"), fill_byte=0xFF)
    raw: bytes = imgtool.encode(image, "bin")
    return raw


def parts(data: bytes) -> dict[str, bytes]:
    cut: Split = imgtool.split(data)
    return {piece.name: piece.data for piece in cut.pieces}


def taken_apart(data: bytes) -> bytes:
    taken: Extraction = imgtool.extract(data, "nodemcu.bin")
    files: dict[str, bytes] = {part.file: part.data for part in taken.parts}
    manifest: Manifest = Manifest.parse(taken.manifest.build())
    again: Assembled = manifest.assemble(files, "parts")
    loader: ExtractedPart | None = taken.find("bootloader")
    made: ElfOutput = imgtool.to_elf(taken, loader, irom_address=None)
    return imgtool.merge([again], verbatim=again.same).data + made.data


def files_in(data: bytes) -> dict[str, bytes]:
    systems: tuple[FileSystem, ...] = imgtool.file_systems(data, imgtool.describe(data))
    files: list[StoredFile] = [file for system in systems for file in system.files if file.whole]
    return {file.path: file.data for file in files}


def whole_flash(data: bytes, filesystem: bytes) -> bytes:
    extras = Extras(
        init_data=InitDataSource("auto", None, {"crystal_26m_en": "40MHz"}),
        filesystem=Piece(0x100000, filesystem, "files"),
    )
    try:
        made: FullImage = imgtool.fullimage([Piece(0, data, "firmware")], "4MB", extras)
    except (FormatError, LayoutError) as error:
        problem: ImgtoolError = error
        raise SystemExit(str(problem)) from None
    assert made.description.parts[-1].kind is PartKind.SYSTEM_PARAM
    return made.data


def patched(data: bytes) -> tuple[bytes, list[str]]:
    wanted = Changes(
        HeaderChange(mode="dio"),
        init_data=InitDataSource("keep", None, {"vdd33_const": "33"}),
        table=TableChange(lfs_size=0x20000),
        writes=(Write(0x40210000, b"12"),),
    )
    made: Patched = imgtool.patch(data, wanted)
    edits: tuple[Edit, ...] = made.edits
    runs: tuple[Difference, ...] = made.differences
    assert sum(len(run.new) for run in runs)
    assert made.after.ok
    return made.data, [f"{edit.field}: {edit.old} -> {edit.new}" for edit in edits]


def built(elf: bytes) -> tuple[bytes, int]:
    made: Built = imgtool.build(elf, 2, header=HeaderChange(mode="dio"), slot=1, use_segments=False)
    files: tuple[BuiltFile, ...] = made.files
    irom: BuiltSegment | None = made.irom
    memory: tuple[MemoryUse, ...] = made.memory
    unloaded: list[SectionUse] = [section for use in memory for section in use.sections if not section.loaded]
    pieces: tuple[Piece, ...] = made.pieces
    free = min(use.free for use in memory) - sum(section.size for section in unloaded)
    return b"".join(file.data for file in files), free + len(pieces) + (irom.size if irom else 0)


def commands_for(log: bytes | str) -> list[str]:
    explanation: Explanation = imgtool.explain(log)
    cures: tuple[Cure, ...] = explanation.cures
    if explanation.ok or explanation.verdict is Verdict.NOTHING_KNOWN:
        return []
    return [command for cure in cures for command in cure.commands]


def crashed_in(log: bytes, elf: bytes) -> list[str]:
    symbols = [ElfSymbols.parse(elf)]
    explained: Explanation = imgtool.explain(log, symbols)
    crash: Crash | None = explained.crash
    words: tuple[StackWord, ...] = crash.stack if crash else ()
    failed: Allocation | None = crash.allocation if crash else None
    frames: tuple[Frame, ...] = explained.frames
    speeds: tuple[Speeds, ...] = explained.speeds
    at = [frame.function or "" for frame in frames if frame.address in {word.value for word in words}]
    return at + [str(pair.sent) for pair in speeds] + ([str(failed.size)] if failed else [])


def started_by(log: bytes) -> list[tuple[int | None, bool | None]]:
    boots: tuple[Boot, ...] = imgtool.explain(log).boots
    starts: list[tuple[BootCause | None, BootMode | None]] = [(boot.cause, boot.mode) for boot in boots]
    return [(cause.code if cause else None, mode.gpio0 if mode else None) for cause, mode in starts]


def known_lines(boot: Boot) -> list[tuple[int, str]]:
    segments: tuple[BootSegment, ...] = boot.segments
    messages: tuple[BootMessage, ...] = boot.messages
    loader: LoaderLines | None = boot.loader
    rf_cal: RfCalSector | None = boot.rf_cal
    lines: list[tuple[int, str]] = [(message.line, message.kind) for message in messages]
    lines += [(segment.line, "segment") for segment in segments if segment.plausible]
    return lines + [(found.line, "settings") for found in (loader, rf_cal) if found is not None]


def flash_id_of(spec: str) -> bytes:
    try:
        with imgtool.open_port(spec, baudrate=115200, timeout=0.5) as port:
            sim: SimPort = port
            sim.write(b"")
            sim.clock.sleep(0.1)
            return sim.read(10)
    except PortError as error:
        raise SystemExit(str(error)) from None


def flashed(path: Path, port: str) -> str:
    ports: tuple[PortInfo, ...] = imgtool.list_ports()
    wire: Wire = imgtool.open_wire(port or ports[0].path)
    stages: list[str] = []

    def listen(event: Event) -> None:
        stages.append(f"{event.stage} {event.done}/{event.total} {event.message}")

    try:
        with Session.connect(wire, ConnectOptions(baud=460_800, stub="auto"), listen) as session:
            chip: ChipIdentity = session.chip
            flash: FlashChip = session.flash
            job = Job((Piece(0, path.read_bytes(), path.name),), erase_all=False)
            done: Transfer = imgtool.transfer(session, job, listen)
            return f"{chip.mac} {flash.part} {done.verified}"
    except VerifyError as error:
        return ", ".join(hex(sector) for sector in error.sectors) + error.cause
    except ChipError as error:
        return str(error)


def is_intact(flashed: bytes, read_back: bytes) -> list[str]:
    result: Comparison = imgtool.compare(flashed, read_back)
    sides: tuple[Compared, Compared] = (result.a, result.b)
    regions: list[RegionChange] = [r for r in result.regions if r.state is DiffState.DIFFERS]
    fields: tuple[FieldChange, ...] = result.fields
    patterns: tuple[Pattern, ...] = result.patterns
    said = [result.verdict, *(field.name for field in fields), *(pattern.message for pattern in patterns)]
    return said if result.differs else [side.kind for side in sides] + [region.reason for region in regions]


def failure_in(data: bytes, wire: Wire) -> str | None:
    watch = Watch(115_200, notes=True)
    now: float = wire.clock.monotonic()
    events: list[WatchEvent] = [*watch.feed(data, now), *watch.pause(now + 1), *watch.close(now + 2)]
    for event in events:
        if isinstance(event, WatchSpeed):
            wire.set_baud(event.baud)
            watch.speed_is(event.baud, event.at)
        elif isinstance(event, WatchNote) and event.verdict is Verdict.BAD_IMAGE:
            cure: Cure | None = event.cure
            return None if cure is None else cure.text
        elif isinstance(event, WatchLine | WatchText):
            number: int = event.number
            text: str = event.text
            assert number > 0, text
    return None


def survives(dump: bytes, image: bytes) -> list[str]:
    old: OldFlash = imgtool.old_flash(dump, 0x400000)
    advice: FirmwareAdvice = imgtool.advise(old, [Piece(0, image, "new.bin")])
    files: AdvicePoint | None = advice.point(Topic.FILES)
    kept: bool = files is not None and files.verdict is AdviceVerdict.KEPT
    return [] if kept and advice.ok else [command for cure in advice.cures for command in cure.commands]
