"""Build images of a linked program: a version-1 pair, or one version-2 image for an OTA slot.

Which sections go into them, in which order and how they are padded is that of esptool's elf2image, to the
byte; what elf2image lets pass and no chip runs is refused (link_checks.py).  A program of the RTOS SDK 3
becomes its one application instead (rtos_program.py).  Not merging and not whole flashes:
assemble/merge.py and assemble/fullimage.py take the files from here.

Rules and differences: docs/how-to/build.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import FLASH_FREQUENCIES, FLASH_MODES, IROM_BASE, SECTOR, flash_size
from imgtool.errors import FormatError, LayoutError, UsageError
from imgtool.formats.elf.program import ElfProgram, ProgramBlock
from imgtool.formats.images import irom as irom_part
from imgtool.formats.images.version1 import BootImage, Segment
from imgtool.formats.reading import Checksum, Finding, Header, Severity
from imgtool.operations.assemble.pieces import HeaderChange, Piece
from imgtool.operations.building import link_checks, rtos_program
from imgtool.operations.building.memory_use import MemoryUse, irom_map, memory_uses, rtos_uses
from imgtool.operations.building.sections import joined, memory_name
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from imgtool.chip import FlashSize

__all__ = ["HEADER", "Built", "BuiltFile", "BuiltSegment", "build"]

HEADER: Final = HeaderChange("qio", "40m", "1MB")
"""The header fields of an image that nobody asked for others for; esptool has the same ones."""

_OTA, _APPLICATION = 2, 3


class BuiltSegment(NamedTuple):
    """A segment of an image that was built.

    Attributes:
        name: The sections in it.
        address: Where the boot loader puts it.
        size: Bytes, padded to a multiple of 4.
        memory: Name of the memory at its address.
    """

    name: str
    address: int
    size: int
    memory: str


class BuiltFile(NamedTuple):
    """A file that was built.

    Attributes:
        address: Flash address that it belongs to.
        data: Its bytes.
        suffix: What its name ends in: the address of irom or of the image as esptool writes it.
        checksum: The check that covers it; None for irom, which has none.
    """

    address: int
    data: bytes
    suffix: str
    checksum: Checksum | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What was built.

    Attributes:
        version: 1 or 2; 3 for an application of the RTOS SDK, as its converter counts.
        header: The header in force.
        size: The flash size in it, which an application has by the table of the ESP32.
        segments: What the boot loader loads, in file order; of an application all segments.
        irom: What runs from flash; None if nothing does, or if it is a segment.
        files: The files in address order: one, or for version 1 with irom two.
        memory: How full each memory is.
        findings: What is to be said.
    """

    version: int
    header: Header
    size: str
    segments: tuple[BuiltSegment, ...]
    irom: BuiltSegment | None
    files: tuple[BuiltFile, ...]
    memory: tuple[MemoryUse, ...]
    findings: tuple[Finding, ...]

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The files as pieces, to merge them, or to make the image of a whole flash or a plan of them."""
        return tuple(Piece(file.address, file.data, file.suffix) for file in self.files)


def build(
    elf: bytes,
    version: int | None = None,
    *,
    header: HeaderChange = HEADER,
    slot: int | None = None,
    use_segments: bool = False,
) -> Built:
    """Build the images of a linked program.

    Args:
        elf: The ELF file.
        version: 1 for the pair that the boot ROM starts, 2 for one image that a boot loader starts, 3 for an
            application of the RTOS SDK; None for 3 where it is a program of that, else 1.
        header: Mode, frequency and size for the header; what is None is qio, 40m and 1MB.
        slot: The user slot to write into the outer header of a version-2 image, as the SDK's own tool does;
            None repeats the inner header there, as esptool does.
        use_segments: Take the load segments of the file instead of its sections.

    Raises:
        FormatError: It is no program for this chip, or cannot be made such an image.
        LayoutError: Something does not fit its memory or the flash, overlaps, or lies nowhere.
        UsageError: It is a program of the RTOS SDK 3, and something else is asked for than its application.
        ValueError: There is no such version or slot.
    """
    _check_arguments(version, slot)
    fields = replace(
        HEADER, **{name: value for name in ("mode", "freq", "size") if (value := getattr(header, name))}
    )
    program = ElfProgram.parse(elf)
    version = _version_of(program, version, slot, use_segments=use_segments)
    if version == _APPLICATION:
        return _application(program, fields)
    blocks = _blocks(program, use_segments=use_segments)
    flash = flash_size(fields.size or "")
    findings = [
        *(_skipped(name) for name in program.skipped),
        *link_checks.check_memory(blocks, program.reserved),
    ]
    link_checks.check_overlaps(blocks, program.reserved)
    link_checks.check_padding(blocks)
    findings += link_checks.check_entry(program.entry, blocks)
    segments = joined(blocks)
    irom = link_checks.only_irom(segments)
    loaded = [block for block in segments if block is not irom]
    link_checks.check_segment_count(loaded)
    if irom is not None:
        findings += link_checks.check_irom_fits(irom, flash)
    size_freq = flash.code << 4 | FLASH_FREQUENCIES[fields.freq or ""]
    boot = BootImage(
        FLASH_MODES[fields.mode or ""],
        size_freq,
        program.entry,
        tuple(Segment(block.address, block.data) for block in loaded),
    )
    if version == _OTA:
        files, file_findings = _ota_files(boot, irom, flash, slot)
    else:
        files, file_findings = _pair(boot, irom, flash)
    return Built(
        version=version,
        header=Header(version, program.entry, boot.mode_code, size_freq, slot),
        size=flash.name,
        segments=tuple(_segment(block) for block in loaded),
        irom=None if irom is None else _segment(irom),
        files=files,
        memory=memory_uses(blocks, program.reserved, flash),
        findings=(*findings, *file_findings),
    )


def _check_arguments(version: int | None, slot: int | None) -> None:
    if version not in (None, 1, _OTA, _APPLICATION):
        raise ValueError(f"no image version {version}")
    if slot is not None and (version != _OTA or slot not in (1, 2)):
        raise ValueError(f"no slot {slot} in an image of version {version}")


def _version_of(program: ElfProgram, version: int | None, slot: int | None, *, use_segments: bool) -> int:
    """The version to build."""
    if not rtos_program.is_rtos_program(program):
        if version == _APPLICATION:
            raise FormatError(
                "this is no program of the RTOS SDK 3",
                expected=".flash.text, or an entry point in what runs from flash",
                found=f"the entry point 0x{program.entry:08x}",
            )
        return version or 1
    asked = f"version {version}" if version in (1, _OTA) else "a slot" if slot is not None else ""
    if asked:
        raise UsageError(
            "this is a program of the RTOS SDK 3: its boot loader starts one file, and nothing starts a pair "
            "or a version-2 image of it",
            expected="version 3",
            found=asked,
        )
    if use_segments:
        raise UsageError(
            "this is a program of the RTOS SDK 3: its load segments do not tell where its read-only data "
            "begins, which is a segment of the image",
            expected="its sections",
            found="its load segments",
        )
    return _APPLICATION


def _application(program: ElfProgram, fields: HeaderChange) -> Built:
    """The one file of a program of the RTOS SDK 3."""
    blocks = _blocks(program, use_segments=False)
    size = fields.size or ""
    size_freq = rtos_program.size_code(size) << 4 | FLASH_FREQUENCIES[fields.freq or ""]
    mode = FLASH_MODES[fields.mode or ""]
    findings = [*(_skipped(name) for name in program.skipped), *rtos_program.check(program, blocks)]
    segments = rtos_program.segments_of(blocks)
    place = rtos_program.place_of(segments)
    data = rtos_program.image_of(program, segments, mode, size_freq)
    image = BootImage.parse(data)
    check = Checksum("xor8", image.stored_checksum or 0, image.checksum)
    return Built(
        version=_APPLICATION,
        header=Header(1, program.entry, mode, size_freq),
        size=size,
        segments=tuple(_segment(block) for block in segments),
        irom=None,
        files=(BuiltFile(place, data, f"0x{place:05x}.bin", check),),
        memory=rtos_uses(blocks, program.reserved, segments[0].address),
        findings=tuple(findings),
    )


def _blocks(program: ElfProgram, *, use_segments: bool) -> tuple[ProgramBlock, ...]:
    if program.sections is None and not use_segments:
        raise FormatError(
            "the file has no section table",
            offset=32,
            expected="sections",
            found=f"{len(program.segments)} load segments",
        )
    blocks = program.segments if use_segments or program.sections is None else program.sections
    if not blocks:
        raise FormatError(
            "the program has nothing to load",
            expected="a load segment with bytes" if use_segments else "a section with an address and bytes",
        )
    return blocks


def _skipped(name: str) -> Finding:
    message = f"section {name} is of a type that is not loaded, though it has an address in memory"
    return Finding(Severity.WARNING, "section-skipped", message)


def _segment(block: ProgramBlock) -> BuiltSegment:
    return BuiltSegment(block.name, block.address, len(block.data), memory_name(block))


def _pair(
    boot: BootImage, irom: ProgramBlock | None, flash: FlashSize
) -> tuple[tuple[BuiltFile, ...], list[Finding]]:
    data = boot.build()
    image = BuiltFile(0, data, "0x00000.bin", Checksum("xor8", data[-1], boot.checksum))
    if irom is None:
        return (image,), []
    address = irom.address - IROM_BASE
    if len(data) > address:
        over = len(data) - address
        raise LayoutError(
            f"the image that is loaded from flash address 0 reaches into {irom.name} by {in_bytes(over)}",
            expected=f"its end at or below 0x{address:05x}, where {irom.name} begins",
            found=f"0x{len(data):05x}",
        )
    files = (image, BuiltFile(address, irom.data, f"0x{address:05x}.bin"))
    findings = _about_table(files)
    row = irom_map(irom.address, flash)
    if row is not None and row.slots:
        message = f"{irom.name} is linked for 0x{irom.address:08x} ({row.source}), as version-2 images are"
        findings.append(Finding(Severity.WARNING, "irom-address", message))
    return files, findings


def _about_table(files: tuple[BuiltFile, BuiltFile]) -> list[Finding]:
    """What the partition table of NodeMCU 3, if irom begins with it, means for the image in front of it."""
    image, code = files
    if irom_part.record_page(code.data, 0) is None:
        return []
    # Most programs have no such table.
    from imgtool.formats.registry import identify  # noqa: PLC0415
    from imgtool.operations.assemble.merge import check_start  # noqa: PLC0415
    from imgtool.operations.assemble.places import Placed  # noqa: PLC0415

    pieces = [Piece(file.address, file.data, file.suffix) for file in (image, code)]
    findings = check_start([Placed(piece, identify(piece.data)) for piece in pieces])
    # Both are of this one build, whatever the statistics say.
    return [finding for finding in findings if finding.code != "mixed-builds"]


def _ota_files(
    boot: BootImage, irom: ProgramBlock | None, flash: FlashSize, slot: int | None
) -> tuple[tuple[BuiltFile, ...], list[Finding]]:
    if irom is None:
        raise FormatError(
            "a version-2 image begins with code that runs from flash, and the program has none",
            expected="a section such as .irom0.text in 0x40200000 to 0x402fffff",
        )
    from imgtool.formats.images.version2 import OtaImage  # noqa: PLC0415 - the usual version needs none of it

    mode, byte = (boot.mode_code, boot.size_freq_code) if slot is None else (0, slot)
    image = OtaImage(mode, byte, boot.entry, irom.data, boot)
    crc = image.crc
    data = replace(image, stored_crc=crc).build()
    check = Checksum("sdk-crc32", int.from_bytes(data[-4:], "little"), crc, 32)
    address = (irom.address - IROM_BASE) // SECTOR * SECTOR
    file = BuiltFile(address, data, f"0x{address:05x}.bin", check)
    return (file,), _about_slot(irom, flash, slot)


def _about_slot(irom: ProgramBlock, flash: FlashSize, slot: int | None) -> list[Finding]:
    """Whether irom is where a boot loader would have it run."""
    row = irom_map(irom.address, flash)
    if row is None or not row.slots:
        message = (
            f"{irom.name} is linked for 0x{irom.address:08x}, which is no slot of Espressif's boot loader on "
            f"{flash.name} nor a usual one of rBoot"
        )
        return [Finding(Severity.WARNING, "irom-address", message)]
    if slot is not None and slot not in row.slots:
        message = f"{irom.name} is linked for slot {row.slots[0]} ({row.source}), not for slot {slot}"
        return [Finding(Severity.WARNING, "slot", message)]
    return []
