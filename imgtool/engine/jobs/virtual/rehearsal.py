"""A write rehearsed: a flash with the plan laid over it, booted on the virtual board before it is written.

What the firmware then says and does is judged as any boot is (try_boot.py); here that is held against the
plan.  Of the flash that is read which the boot asks for, and nothing is written to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from imgtool.chip import SECTOR
from imgtool.device.events import Event
from imgtool.engine.jobs.virtual.try_boot import TryRequest, chip_for, tried
from imgtool.engine.results import Row, Tone, Words
from imgtool.engine.stopping import stoppable
from imgtool.errors import ImgtoolError, RehearsalError, UsageError
from imgtool.formats.reading import PartKind
from imgtool.operations.assemble.extras import layout_of
from imgtool.operations.explain.messages.row import Weight
from imgtool.operations.explain.messages.table import rows_of
from imgtool.operations.flashing.transfer import read_flash
from imgtool.operations.inspect.describe import describe
from imgtool.phrase import Name, Phrase
from imgtool.quantities import duration, in_bytes
from imgtool.virtual.board.boot_rom import BootRom
from imgtool.virtual.board.console import PROMPT
from imgtool.virtual.board.lua_prompt import listed_files
from imgtool.virtual.board.session import Ending, run_firmware
from imgtool.virtual.chip.lazy_store import LazyStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgtool.device.events import Listener
    from imgtool.device.session import Session
    from imgtool.engine.inputs import InputFile
    from imgtool.engine.jobs.virtual.try_boot import TryResult
    from imgtool.formats.filesystems.stored_files import FileSystem
    from imgtool.operations.files.carry import FilesPlan
    from imgtool.operations.flashing.plan import FlashPlan
    from imgtool.operations.inspect.describe import Description
    from imgtool.operations.inspect.flash_state import FlashState

__all__ = [
    "FlashBefore",
    "ListedFile",
    "Rehearsal",
    "check_rehearsed",
    "check_rom",
    "flash_of_board",
    "flash_of_dump",
    "rehearsal_fields",
    "rehearsal_report",
    "rehearsal_words",
    "rehearse",
    "telling_line",
]

_STAGE: Final = "rehearsal"
_ERASED: Final = b"\xff"
_PAGE: Final = 0x100
_SHOWN: Final = 8
_SECONDS: Final = 300.0  # of the chip; a firmware that formats 16 MB is silent for minutes
_BITS: Final = 10  # of the line for a byte
_BANNER: Final = " ets Jan  8 2013"
_SETTINGS: Final = {
    PartKind.RF_CAL: "RF calibration",
    PartKind.INIT_DATA: "init data",
    PartKind.SYSTEM_PARAM: "the SDK's parameters",
    PartKind.PARTITION_TABLE: "partition table and start-up settings",
}
_FILE_SYSTEMS: Final = {PartKind.SPIFFS: "SPIFFS", PartKind.LITTLEFS: "LittleFS"}
_NAMES: Final = _SETTINGS | _FILE_SYSTEMS


class FlashBefore(NamedTuple):
    """The flash before a write.

    Attributes:
        size: Its bytes.
        read: Reads so many bytes from an address on.
        baud: Speed of the line that they come over; 0 where all of it is at hand.
    """

    size: int
    read: Callable[[int, int], bytes]
    baud: int = 0


class ListedFile(NamedTuple):
    """A file that the firmware has.

    Attributes:
        path: Its name.
        size: Its bytes.
        address: Where the file system begins that has it; None where that is not seen.
    """

    path: str
    size: int
    address: int | None


class _Written(NamedTuple):
    """Sectors in a row that the firmware has written: address, bytes, and what is there."""

    address: int
    size: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What firmware did with a flash that is not written yet.

    Attributes:
        tried: The boot.
        size: Bytes of the flash.
        read: How many of them were read for it.
        reads: How often some were.
        listed: The files that the firmware lists at its prompt, by their names; None where it was not asked
            or does not answer.
        touched: Numbers of the sectors that it has written.
        found: What the flash then is.
        made: Where the write puts a file system; None for none.
    """

    tried: TryResult
    size: int
    read: int
    reads: int
    listed: dict[bytes, int] | None
    touched: frozenset[int] = field(repr=False)
    found: Description = field(repr=False)
    made: int | None = None

    @property
    def ok(self) -> bool:
        """Whether the firmware runs."""
        return self.tried.ok

    @property
    def log(self) -> str:
        """All that it said."""
        return self.tried.log

    @property
    def state(self) -> FlashState | None:
        """What stands in the SDK's sectors and in LFS; None where nothing tells where they are."""
        return self.found.state

    @property
    def files(self) -> tuple[ListedFile, ...]:
        """The files that the firmware lists, or else those that stand in the flash."""
        systems = self.tried.file_systems
        if self.listed is None:
            return tuple(
                ListedFile(file.path, file.size, system.offset) for system in systems for file in system.files
            )
        places = {
            (file.name, file.size): system.offset for system in reversed(systems) for file in system.files
        }
        return tuple(
            ListedFile(name.decode("utf-8", "backslashreplace"), size, places.get((name, size)))
            for name, size in sorted(self.listed.items())
        )

    @property
    def formatted(self) -> tuple[FileSystem, ...]:
        """The file systems that the firmware has made, which are those whose blocks were all erased."""
        return tuple(system for system in self.tried.file_systems if self._erased(system))

    def _erased(self, system: FileSystem) -> bool:
        step = system.block_size
        starts = range(system.offset, system.offset + step * system.blocks, step) if step else ()
        return bool(starts) and all(start // SECTOR in self.touched for start in starts)

    @property
    def written(self) -> tuple[_Written, ...]:
        """What the firmware has written, apart from file systems that it has made."""
        inside = [range(s.offset, s.offset + s.size) for s in self.formatted]
        runs: list[_Written] = []
        for number in sorted(self.touched):
            address = number * SECTOR
            if any(address in place for place in inside):
                continue
            name = self._name_at(address)
            last = runs[-1] if runs else None
            if last is not None and last.name == name and last.address + last.size == address:
                runs[-1] = last._replace(size=last.size + SECTOR)
            else:
                runs.append(_Written(address, SECTOR, name))
        return tuple(runs)

    def _name_at(self, address: int) -> str:
        places = [*self._regions(), *((part.kind, part.offset, part.size) for part in self.found.parts)]
        kinds = [kind for kind, start, size in places if start <= address < start + size]
        return next((_NAMES[kind] for kind in kinds if kind in _NAMES), "")

    def _regions(self) -> tuple[tuple[PartKind, int, int], ...]:
        """What the firmware reserves for the SDK, where that is known; file systems are where they stand."""
        try:
            regions = layout_of(self.found).regions
        except ImgtoolError:
            return ()
        return tuple((each.kind, each.start, each.size) for each in regions if each.kind in _SETTINGS)

    def has_written(self, kind: PartKind) -> bool:
        """Whether the firmware has written a sector for settings."""
        return any(each.name == _SETTINGS[kind] for each in self.written)


# The flash before.


def flash_of_board(session: Session, size: int | None, whole: bytes | None = None) -> FlashBefore:
    """The flash of a board.

    Args:
        session: The board.
        size: Bytes of its flash; None where that is not known.
        whole: All of it, where it was read already.

    Raises:
        RehearsalError: The capacity is not known.
    """
    if size is None:
        raise RehearsalError(
            "the capacity of the flash is not known, so nothing can be rehearsed",
            expected="a flash ID that tells it",
            found=session.flash.id.hex(),
        )
    if whole is not None:
        return flash_of_dump(whole, size)
    return FlashBefore(size, lambda address, length: read_flash(session, address, length), session.baud)


def flash_of_dump(dump: bytes, size: int) -> FlashBefore:
    """The flash of which there is a dump; what is behind the end of that is erased."""

    def read(address: int, length: int) -> bytes:
        return dump[address : address + length].ljust(length, _ERASED)

    return FlashBefore(size, read)


def check_rom(rom: InputFile | None) -> None:
    """Refuse what is no dump of the boot ROM, before anything else is done.

    Raises:
        FormatError: It is none.
    """
    if rom is not None:
        BootRom.parse(rom.data, source=rom.name)


# The boot.


def rehearse(flash: FlashBefore, plan: FlashPlan, rom: InputFile | None, on_event: Listener) -> Rehearsal:
    """Boot what the plan would make of a flash; no judgement but that of the log.

    Args:
        flash: The flash before.
        plan: The plan.
        rom: A dump of the boot ROM; None for functions of imgtool's own.
        on_event: Told what is read, and how far the firmware is.

    Raises:
        FormatError: The ROM is no dump of it.
        UsageError: The plan is for another size.
        ChipError: The chip is silent, or the content comes broken every time.
        PortError: The port is lost and does not come back.
        InterruptedRunError: It was stopped.
    """
    if any(piece.end > flash.size for piece in plan.pieces):
        raise UsageError("the plan is for a larger flash", found=in_bytes(flash.size))
    progress = _Told(flash_of_dump(b"", flash.size) if plan.erase_all else flash, on_event)
    store = LazyStore(flash.size, progress.read)
    request = TryRequest(
        files=(),
        rom=None if rom is None else rom.data,
        rom_name="" if rom is None else rom.name,
        seconds=_SECONDS,
    )
    chip = chip_for(request, store)
    progress.begin()
    if not progress.baud:
        store.lay(0, progress.read(0, flash.size))
    _lay(store, plan)
    with stoppable("the write was not rehearsed"):
        run = run_firmware(chip, request.seconds, progress.ran)
        asked = run.ending is Ending.QUIET and run.log.endswith(PROMPT)
        listed = listed_files(chip) if asked else None
    after = store.content
    return Rehearsal(
        tried=tried(request, "the flash after the write", run, store.before, after),
        size=flash.size,
        read=progress.bytes_read,
        reads=progress.reads,
        listed=listed,
        touched=frozenset(store.touched),
        found=describe(after),
        made=plan.files.start if plan.files is not None and plan.files.pieces else None,
    )


class _Told:
    """What is told while the firmware runs; reads the flash for it."""

    def __init__(self, flash: FlashBefore, on_event: Listener) -> None:
        self.baud = flash.baud
        self._flash = flash
        self._on_event = on_event
        self._seconds = 0.0
        self.bytes_read = 0
        self.reads = 0

    def begin(self) -> None:
        """Say what will be read, and how long that takes at most."""
        words = "the write is rehearsed: booted in memory, for 3 to 10 s"
        size = self._flash.size
        if self.baud:
            most = duration(size * _BITS / self.baud)
            words += (
                "; of the board's flash that is read which the boot asks for, mostly less than a tenth of "
                f"its {in_bytes(size)} (all of them: {most} at {self.baud:,} baud)"
            )
        self._on_event(Event("note", message=words))
        self._on_event(Event(_STAGE))

    def read(self, address: int, length: int) -> bytes:
        """Read the flash."""
        data = self._flash.read(address, length)
        if self.baud:
            self.bytes_read += length
            self.reads += 1
        self._tell()
        return data

    def ran(self, seconds: float) -> None:
        """The firmware has run so long."""
        self._seconds = seconds
        self._tell()

    def _tell(self) -> None:
        read = f", {in_bytes(self.bytes_read)} read" if self.baud else ""
        message = f"{self._seconds:.1f} s of the chip's time{read}"
        self._on_event(Event(_STAGE, self.bytes_read, message=message))


def _lay(store: LazyStore, plan: FlashPlan) -> None:
    """What the write will leave, and what was read already to plan it."""
    kept = None if plan.files is None else plan.files.kept
    if kept is not None and not plan.erase_all:
        image = kept.image[: max(0, store.size - kept.found.start)]
        for at in range(0, len(image), _PAGE):
            # What stands there as erased may not have been read, as the file system does not use it.
            if image[at : at + _PAGE].strip(_ERASED):
                store.lay(kept.found.start + at, image[at : at + _PAGE])
    for piece in plan.pieces:
        data = piece.data
        if (piece.end - 1) // SECTOR not in (
            plan.right or ()
        ):  # what is written is written to the sector's end
            data = data.ljust(-(-len(data) // SECTOR) * SECTOR, _ERASED)
        store.lay(piece.address, data[: store.size - piece.address])


# What is said against it.


def check_rehearsed(rehearsal: Rehearsal, files: FilesPlan | None) -> None:
    """Refuse a write after which the firmware does not start, or does not find its files.

    Raises:
        RehearsalError: It is so; the cause and cures are noted on it.
    """
    result = rehearsal.tried
    if not result.ok:
        line = telling_line(result)
        said = f'; it says "{line}"' if line else _last_words(result)
        error = RehearsalError(
            Phrase("rehearsed, and nothing was written: ", result.words.verdict.rstrip("."), said), line=line
        )
        error.add_note(result.words.rows[0].text.rstrip("."))
        for number, cure in enumerate(result.words.cures, 1):
            commands = Phrase.joined(", then ", [Name(command) for command in cure.commands])
            error.add_note(
                Phrase(f"{number}. {cure.text.rstrip('.')}", *([": ", commands] if cure.commands else []))
            )
        raise error
    if files is None:
        return
    gone = _gone(rehearsal, files)
    if gone:
        names = [Name(name.decode("utf-8", "backslashreplace")) for name in gone[:_SHOWN]]
        more = f" and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else ""
        raise RehearsalError(
            Phrase(
                f"rehearsed, and nothing was written: {len(gone)} of {len(files.files)} files are gone: ",
                Phrase.joined(", ", names),
                more,
            ),
            line=telling_line(result),
        )


def _gone(rehearsal: Rehearsal, files: FilesPlan) -> list[bytes]:
    """The names of the files that are not there, or do not read as they should."""
    there = {
        file.name: file.data
        for system in rehearsal.tried.file_systems
        if system.offset == files.start
        for file in system.files
    }
    listed = rehearsal.listed
    return [
        file.name
        for file in files.files
        if there.get(file.name) != file.data
        or (listed is not None and listed.get(file.name) != len(file.data))
    ]


def _last_words(result: TryResult) -> str:
    """What it says last, as no line tells why; of one that loops, before it starts again."""
    log = result.log
    if result.run.ending is Ending.LOOP:
        log = log.rpartition(_BANNER)[0]
    lines = [line.strip() for line in log.split("\n") if line.strip()]
    return f'; the last that it says is "{lines[-1]}"' if lines else "; it says nothing"


def telling_line(result: TryResult) -> str:
    """The line of the log that says why it does not start; empty where none does."""
    explanation = result.explanation
    for boot in reversed(explanation.boots):
        own = [m for m in boot.messages if m.kind == explanation.verdict or m.text in explanation.cause]
        told = [message for _, message in rows_of(boot, Weight.FAILS, Weight.REPEATS, Weight.UNCLEAR)]
        if own or told:  # what comes behind the first one follows from it
            return (own or told)[0].text.strip()
    lines = result.log.split("\n")
    if explanation.crash is not None and 0 < explanation.crash.line <= len(lines):
        return lines[explanation.crash.line - 1].strip()
    return ""


# Words and documents.


def rehearsal_words(rehearsal: Rehearsal) -> Phrase:
    """What the firmware did, in a sentence."""
    return Phrase(
        "rehearsed: ", rehearsal.tried.explanation.sentence.rstrip("."), "; ", _files_words(rehearsal)
    )


def rehearsal_report(rehearsal: Rehearsal) -> Words:
    """What the firmware did, a row for each thing."""
    rows = [Row("files", _files_words(rehearsal)), Row("file system", _system_words(rehearsal))]
    state = rehearsal.state
    if state is not None and state.init_data is not None:
        by = ", written by the firmware" if rehearsal.has_written(PartKind.INIT_DATA) else ""
        rows.append(Row("init data", f"{state.init_data.words}{by}"))
    if state is not None and state.lfs is not None:
        rows.append(Row("LFS", state.lfs.words))
    rows += [Row("written", _written_words(rehearsal)), Row("read", _read_words(rehearsal))]
    return Words(
        verdict=Phrase("rehearsed in memory: ", rehearsal.tried.words.verdict),
        tone=Tone.GOOD if rehearsal.ok else Tone.WRONG,
        rows=tuple(rows),
    )


def _files_words(rehearsal: Rehearsal) -> Phrase:
    files = rehearsal.files
    whose = "it lists" if rehearsal.listed is not None else "the flash has"
    if not files:
        return Phrase(f"{whose} no files")
    names = [Phrase(Name(file.path), f" ({file.size:,})") for file in files[:_SHOWN]]
    more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
    return Phrase(f"{whose} ", Phrase.joined(", ", names), more)


def _system_words(rehearsal: Rehearsal) -> str:
    words = [
        f"{_FILE_SYSTEMS[system.kind]} at 0x{system.offset:06x}, {in_bytes(system.size)}: "
        f"{_fate(rehearsal, system)}"
        for system in rehearsal.tried.file_systems
        if system.kind in _FILE_SYSTEMS
    ]
    return "; ".join(words) or "none is seen"


def _fate(rehearsal: Rehearsal, system: FileSystem) -> str:
    if system in rehearsal.formatted:
        return "formatted by the firmware"
    return "as it is written" if system.offset == rehearsal.made else "kept"


def _written_words(rehearsal: Rehearsal) -> str:
    words = [
        f"{each.name or 'a place that imgtool does not know'} (0x{each.address:06x}, {in_bytes(each.size)})"
        for each in rehearsal.written
    ]
    return ", ".join(words) or "nothing"


def _read_words(rehearsal: Rehearsal) -> str:
    if not rehearsal.reads:
        return "nothing: all that it asked for was known"
    return f"{rehearsal.read:,} of {in_bytes(rehearsal.size)}, in {rehearsal.reads:,} reads"


def rehearsal_fields(rehearsal: Rehearsal) -> dict[str, Any]:
    """The same as JSON."""
    result, state = rehearsal.tried, rehearsal.state
    init = None if state is None else state.init_data
    lfs = None if state is None else state.lfs
    return {
        "verdict": str(result.explanation.verdict),
        "ok": rehearsal.ok,
        "sentence": result.explanation.sentence,
        "seconds": round(result.run.seconds, 3),
        "boots": result.run.boots,
        "listed": rehearsal.listed is not None,
        "files": [file._asdict() for file in rehearsal.files],
        "formatted": [system.offset for system in rehearsal.formatted],
        "init_data": None if init is None else {"state": init.state, "set": init.set, "address": init.offset},
        "lfs": None if lfs is None else {"state": lfs.state, "address": lfs.offset},
        "written": [each._asdict() for each in rehearsal.written],
        "read": {"bytes": rehearsal.read, "of": rehearsal.size, "reads": rehearsal.reads},
        "log": result.log,
    }
