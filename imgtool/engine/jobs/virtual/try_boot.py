"""Boot an image on the virtual board, with its own code: what it says, what it writes, the files it then has.

Not the board (imgtool.virtual.board), no judgement of the log (imgtool.operations.explain) or of what was
written (imgtool.operations.compare).  Seen is what firmware decides by itself: load, checks, layout, file
systems, init data, loops, exceptions.  Radio, ADC, true time, flash mode and flash speed are not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from imgtool.chip import FLASH_SIZES, flash_size
from imgtool.device.events import Event, ignore
from imgtool.engine import boot_logs
from imgtool.engine.documents import comparison_fields, document
from imgtool.engine.jobs.explain import explanation_fields
from imgtool.engine.jobs.fullimage import FullImageRequest, fullimage
from imgtool.engine.placing import placed, size_name
from imgtool.engine.results import Output, Row, Table, Tone, Toned, Words
from imgtool.engine.stopping import stoppable
from imgtool.engine.verdicts import DONE, NO, code_of_explanation
from imgtool.errors import LayoutError, UsageError
from imgtool.formats.registry import identify
from imgtool.operations.actions import Cure
from imgtool.operations.assemble.joining import join, lay_out
from imgtool.operations.assemble.wrong_files import not_for_flash, wrong_file
from imgtool.operations.compare.files import compare
from imgtool.operations.compare.values import DiffState
from imgtool.operations.inspect.file_systems import file_systems
from imgtool.phrase import Name, Phrase
from imgtool.quantities import capacity

if TYPE_CHECKING:
    from imgtool.device.events import Listener
    from imgtool.engine.documents import Document
    from imgtool.engine.inputs import FolderFile, InputFile
    from imgtool.formats.filesystems.stored_files import FileSystem
    from imgtool.operations.compare.values import Comparison
    from imgtool.operations.explain.log import Explanation
    from imgtool.virtual.board.firmware_chip import FirmwareChip
    from imgtool.virtual.board.session import FirmwareRun
    from imgtool.virtual.chip.store import Store

__all__ = ["TryRequest", "TryResult", "chip_for", "flash_for", "tried", "try_boot"]

_DEFAULT_SIZE, _DEFAULT_NAME = 0x40_0000, "4MB"
_LEAST: Final = 0x8_0000
_LOG_LINES: Final = 60
_MOST_FILES: Final = 40
_ERASED: Final = 0xFF
_OVERWRITTEN: Final = (
    "It wrote to addresses behind the end of the chip, which are its first ones again: the header states "
    "more flash than there is."
)
_WITH_A_DUMP: Final = Cure(
    "With a dump of the boot ROM it goes on; any ESP8266 gives one:",
    ("imgtool read --rom -o rom.bin", "imgtool try IMAGE --rom rom.bin"),
)
_CHANGED: Final = (DiffState.FIRMWARE, DiffState.DIFFERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class TryRequest:
    """A flash to boot from.

    Attributes:
        files: An image for address 0, its halves, a full image, or a dump.
        rom: A dump of the boot ROM; None for functions of imgtool's own.
        rom_name: What to call that.
        size: Name of the flash's size; None for the file's where it has that of a flash, else 4 MB.
        seconds: How long it may run, by the chip's clock.
        output: Name of a file for the flash as the firmware has left it; None for none.
        log: Name of a file for all that it says; None for none.
        content: Files of which a file system is made, as the firmware takes it; None for none.
    """

    files: tuple[InputFile, ...]
    rom: bytes | None = field(default=None, repr=False)
    rom_name: str | None = None
    size: str | None = None
    seconds: float = 60.0
    output: str | None = None
    log: str | None = None
    content: tuple[FolderFile, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TryResult:
    """What firmware did by itself.

    Attributes:
        name: What was booted.
        run: What it said, for how long, why that was ended.
        explanation: What its log says.
        written: The flash before against the flash after.
        file_systems: The file systems that the flash then holds.
        flash: The flash as it was left.
        request: What was asked for.
        first: The first byte of the flash before.
    """

    name: str
    run: FirmwareRun = field(repr=False)
    explanation: Explanation
    written: Comparison = field(repr=False)
    file_systems: tuple[FileSystem, ...] = field(repr=False)
    flash: bytes = field(repr=False)
    request: TryRequest = field(repr=False)
    first: bytes

    @property
    def ok(self) -> bool:
        """Whether its log says that it runs, and it has not stopped since."""
        return self.explanation.ok and not self.stopped

    @property
    def stopped(self) -> bool:
        """Whether it has come to a place that it never leaves, whatever it has said before."""
        return self.run.ending.is_for_ever

    @property
    def code(self) -> int:
        """The exit code, that of ``explain`` on its log; 1, too, where it has stopped."""
        code = code_of_explanation(self.explanation)
        return NO if code == DONE and not self.ok else code

    @property
    def log(self) -> str:
        """All that it said, as text."""
        return self.run.log.decode("utf-8", "backslashreplace").replace("\r\n", "\n")

    @property
    def document(self) -> Document:
        """What ``imgtool try --json`` prints."""
        return document("try", ok=self.ok, results=[self._fields()])

    def _fields(self) -> dict[str, Any]:
        run, written = self.run, comparison_fields("before", "after", self.written)
        return {
            "path": self.name,
            "flash_size": len(self.flash),
            "ending": run.ending.name.lower(),
            "seconds": round(run.seconds, 3),
            "instructions": run.instructions,
            "boots": run.boots,
            "exceptions": {str(cause): count for cause, count in sorted(run.exceptions.items())},
            "missing": None if run.missing is None else run.missing._asdict(),
            "unmodelled": [{"address": address, "pc": pc} for address, pc in run.unmodelled.items()],
            "explanation": explanation_fields(self.name, self.explanation),
            "written": [region for region in written["regions"] if region["state"] in _CHANGED],
            "file_systems": [
                {
                    "kind": system.kind,
                    "offset": system.offset,
                    "size": system.size,
                    "files": [{"path": file.path, "size": file.size} for file in system.files],
                }
                for system in self.file_systems
            ],
            "log": self.log,
        }

    @property
    def words(self) -> Words:
        """Verdict, cause, cures; what it wrote, the files, the end of the log."""
        found, run = self.explanation, self.run
        times = f"{run.boots} starts" if run.boots != 1 else "1 start"
        cures = found.cures if run.missing is None else (_WITH_A_DUMP,)
        rows = (
            Row("cause", self._cause()),
            Row("ran", f"{run.seconds:.1f} s of the chip's time, {times}; ended as {run.ending}"),
            Row(
                "flash",
                f"{capacity(len(self.flash))}; nothing of the radio, ADC, flash mode or speed is seen",
            ),
        )
        return Words(
            verdict=self._sentence(),
            tone=Tone.GOOD if self.ok else Tone.WRONG,
            rows=rows,
            tables=(self._written(), *self._files(), self._said()),
            notes=found.notes,
            cures=cures,
        )

    def _cause(self) -> str | Phrase:
        missing = self.run.missing
        if missing is not None:
            return f"{missing.name} at 0x{missing.address:08x} is not there; 0x{missing.by:08x} needs it."
        return _OVERWRITTEN if self.overwritten else self.explanation.cause

    def _sentence(self) -> str:
        """The verdict: that on the log, unless it has stopped behind it."""
        if self.run.missing is not None:
            return (
                "What the firmware does next cannot be told: it needs more of the boot ROM than imgtool has."
            )
        if not self.stopped or not (self.explanation.ok or self.overwritten):
            return self.explanation.sentence
        if self.overwritten:
            return "The firmware has overwritten its own image, and stopped."
        return "The firmware has started, and then stopped."

    @property
    def overwritten(self) -> bool:
        """Whether nothing boots any more: the image at 0 has lost its first byte."""
        return self.flash[:1] != self.first

    def _written(self) -> Table:
        rows = tuple(
            (
                region.name,
                f"0x{(region.offset_a if region.offset_b is None else region.offset_b) or 0:06x}",
                f"{region.bytes:,}" if region.bytes else f"{region.size:,}",
            )
            for region in self.written.regions
            if region.state in _CHANGED
        )
        if not rows:
            return Table(rows=(("nothing",),), title="Written to flash")
        return Table(rows=rows, head=("region", "offset", "bytes"), right=(2,), title="Written to flash")

    def _files(self) -> tuple[Table, ...]:
        tables = []
        for system in self.file_systems:
            files = system.files[:_MOST_FILES]
            left = len(system.files) - len(files)
            tables.append(
                Table(
                    rows=tuple((Name(file.path), f"{file.size:,}") for file in files) or (("no files", ""),),
                    right=(1,),
                    title=f"Files in {system.kind} at 0x{system.offset:06x}",
                    below=f"and {left:,} more" if left else "",
                )
            )
        return tuple(tables)

    def _said(self) -> Table:
        lines = self.log.split("\n")
        last = lines[-_LOG_LINES:]
        left = len(lines) - len(last)
        title = f"What it said, the last {len(last)} of {len(lines):,} lines" if left else "What it said"
        return Table(rows=tuple((Toned(_plain(line), Tone.DIM),) for line in last), title=title)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The flash and the log, where they are asked for."""
        made = []
        if self.request.output is not None:
            made.append(Output(self.request.output, self.flash))
        if self.request.log is not None:
            made.append(Output(self.request.log, self.run.log))
        return tuple(made)


def _plain(line: str) -> str:
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in line.expandtabs())


def try_boot(request: TryRequest, on_event: Listener = ignore) -> TryResult:
    """Boot an image, a full image or a dump in memory, and see.

    Args:
        request: What to boot.
        on_event: Told in words how much time has passed.

    Raises:
        UsageError: The files do not begin at 0, or the size is none of a flash.
        FormatError: The ROM is no dump of it, or nothing could boot from the file.
        LayoutError: The files overlap, or do not fit the flash.
        InterruptedRunError: It was stopped.
    """
    from imgtool.virtual.board.session import run_firmware  # noqa: PLC0415 - not for help
    from imgtool.virtual.chip.store import MemoryStore  # noqa: PLC0415

    name = Name(", ".join(file.name for file in request.files))
    before = flash_for(request)
    store = MemoryStore(len(before))
    store.write(0, before)
    chip = chip_for(request, store)

    def pass_on(seconds: float) -> None:
        on_event(Event("try", message=f"{seconds:.1f} s of the chip's time"))

    with stoppable("the firmware was not judged"):
        run = run_firmware(chip, request.seconds, pass_on)
        return tried(request, name, run, before, store.read(0, len(before)))


def chip_for(request: TryRequest, store: Store) -> FirmwareChip:
    """The chip that boots, off.

    Args:
        request: Has the ROM, or none.
        store: Its flash.

    Raises:
        FormatError: The ROM is no dump of it.
    """
    from imgtool.flash_parts import default_part  # noqa: PLC0415 - not for help
    from imgtool.virtual.board.boot_rom import BootRom  # noqa: PLC0415
    from imgtool.virtual.board.firmware_chip import FirmwareChip  # noqa: PLC0415
    from imgtool.virtual.chip.machine import Setup  # noqa: PLC0415

    rom = None if request.rom is None else BootRom.parse(request.rom, source=request.rom_name)
    return FirmwareChip(Setup(default_part(store.size), store), rom)


def tried(request: TryRequest, name: str, run: FirmwareRun, before: bytes, after: bytes) -> TryResult:
    """What a run comes to.

    Args:
        request: What was asked for.
        name: What was booted.
        run: What it did.
        before: The flash before; what was not read of it as erased.
        after: The flash as it was left, likewise.
    """
    return TryResult(
        name=name,
        run=run,
        explanation=boot_logs.explain(run.log),
        written=compare(before, after),
        file_systems=file_systems(after),
        flash=after,
        request=request,
        first=before[:1],
    )


def flash_for(request: TryRequest) -> bytes:
    """All of the flash, with the files in it.

    Raises:
        UsageError: The files do not begin at 0, or the size is none of a flash.
        FormatError: Nothing could boot from the file.
        LayoutError: The files overlap, or do not fit the flash.
    """
    if request.content is not None:
        whole = FullImageRequest(
            files=request.files, size=request.size or _DEFAULT_NAME, output="", content=request.content
        )
        return fullimage(whole).outputs[0].data
    name = Name(", ".join(file.name for file in request.files))
    files = placed(request.files)
    if files.named:
        raise UsageError(
            "a boot has no named places", expected="an image, its halves, or a dump", found=files.named[0][0]
        )
    ordered = lay_out(files.pieces)
    if ordered[0].address:
        raise UsageError(
            "nothing is at flash address 0",
            expected="an image for 0x00000, a full image, or a dump",
            found=Phrase(name, f", for 0x{ordered[0].address:05x}"),
        )
    reading = identify(ordered[0].data)
    if not_for_flash(reading, 0, None):
        raise wrong_file(reading, name, "an image, a full image, or a dump")
    size = _size(request, ordered[-1].end)
    if ordered[-1].end > size:
        raise LayoutError(
            "the flash is too small",
            source=ordered[-1].name,
            offset=ordered[-1].address,
            expected=f"at most {size:,} bytes",
            found=f"{ordered[-1].end:,} bytes",
        )
    return join(ordered, size, _ERASED)


def _size(request: TryRequest, end: int) -> int:
    if request.size is not None:
        return _capacity(request.size)
    whole = end >= _LEAST and any(end == size.bytes for size in FLASH_SIZES)
    return end if whole else _DEFAULT_SIZE


def _capacity(name: str) -> int:
    found = flash_size(size_name(name)[0]).bytes
    if found < _LEAST:
        raise UsageError("no board has so little flash", expected="512KB or more", found=name)
    return found
