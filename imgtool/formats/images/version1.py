"""Version-1 image: what the boot ROM loads from flash offset 0 (magic 0xE9).

An 8-byte header, segments with their load addresses, zero fill, one checksum byte at the end of a 16-byte
line. Not the code that runs from flash: that is the irom part (irom.py), and it is not covered by the
checksum.

Layout and checksum: docs/formats/image-v1.md, after
https://docs.espressif.com/projects/esptool/en/latest/esp8266/advanced-topics/firmware-image-format.html
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from construct import Const, Int8ul, Int32ul, Struct

from imgtool.chip import loadable, memory_at, runnable
from imgtool.errors import FormatError
from imgtool.formats import fill
from imgtool.formats.checksums import xor8
from imgtool.formats.reading import (
    Checksum,
    Cover,
    FileKind,
    Finding,
    Header,
    Part,
    PartKind,
    Reading,
    SegmentInfo,
    Severity,
)
from imgtool.formats.wire import built, parse_at

__all__ = [
    "MAGIC",
    "MAX_SEGMENTS",
    "BootImage",
    "ImageScan",
    "Segment",
    "address_findings",
    "entry_finding",
    "findings_of",
    "inside",
    "is_plausible",
    "part_of",
    "patch_header",
    "read",
    "scan",
    "stretch_of",
    "trailing",
    "without_trailing",
]

MAGIC: Final = 0xE9
MAX_SEGMENTS: Final = 16
"""The SDK's and esptool's limit; the ROM has no use for more either."""

_HEADER = Struct(
    "magic" / Const(MAGIC, Int8ul),
    "segment_count" / Int8ul,
    "mode" / Int8ul,
    "size_freq" / Int8ul,  # flash size in the upper nibble, frequency in the lower
    "entry" / Int32ul,
)
_SEGMENT = Struct(
    "address" / Int32ul,
    "size" / Int32ul,
)
_ENTRY: Final = 4  # offset in the header
_WORD: Final = 4
_PLACEHOLDER: Final = 0xFF  # mode byte of applications whose tools leave it to the boot loader (Mongoose OS)
_LONGEST: Final = 0x12_0000  # the window that the cache shows, and all RAM
_LONGEST_TAIL: Final = 64  # a SHA-256, and some
_LINE: Final = 16  # the checksum is the last byte of a line of this many bytes


class Segment(NamedTuple):
    """Bytes and the address that the ROM copies them to."""

    address: int
    data: bytes


class BootImage(NamedTuple):
    """A version-1 image as values.

    Attributes:
        mode_code: Header byte 2, see :data:`imgtool.chip.FLASH_MODES`.
        size_freq_code: Header byte 3.
        entry: Entry point address.
        segments: 0 to 16 segments.
        stored_checksum: The checksum byte in the file; None stands for the right one.
    """

    mode_code: int
    size_freq_code: int
    entry: int
    segments: tuple[Segment, ...]
    stored_checksum: int | None = None

    @classmethod
    def parse(cls, data: bytes, offset: int = 0) -> BootImage:
        """Read the image that begins at ``offset``; bytes behind it are ignored.

        Raises:
            FormatError: It does not begin with 0xE9, has more than 16 segments, or is cut short.
        """
        found = scan(data, offset)
        if found.problem is not None:
            raise found.problem
        return cls(
            found.header.mode_code,
            found.header.size_freq_code,
            found.header.entry,
            tuple(Segment(s.address, data[s.offset : s.offset + s.size]) for s in found.segments),
            None if found.checksum is None else found.checksum.stored,
        )

    @property
    def checksum(self) -> int:
        """The checksum that the segments give."""
        return xor8(segment.data for segment in self.segments)

    def build(self) -> bytes:
        """The image as bytes, with its stored checksum or the right one.

        Raises:
            FormatError: More than 16 segments, or a number that its field cannot hold.
        """
        if len(self.segments) > MAX_SEGMENTS:
            raise FormatError(
                "too many segments", expected=f"at most {MAX_SEGMENTS}", found=str(len(self.segments))
            )
        blocks = [
            built(
                _HEADER,
                {
                    "segment_count": len(self.segments),
                    "mode": self.mode_code,
                    "size_freq": self.size_freq_code,
                    "entry": self.entry,
                },
                "image header",
            )
        ]
        for segment in self.segments:
            header = {"address": segment.address, "size": len(segment.data)}
            blocks += [built(_SEGMENT, header, "segment header"), segment.data]
        body = b"".join(blocks)
        stored = self.checksum if self.stored_checksum is None else self.stored_checksum
        return body.ljust(_checksum_offset(len(body)), b"\0") + built(Int8ul, stored, "checksum")


class ImageScan(NamedTuple):
    """How far an image can be followed.

    Attributes:
        header: Its header.
        segment_count: Segments that the header announces.
        segments: The segments that are whole, with offsets in the file.
        end: Offset behind the image, or where following it stopped.
        checksum: Stored and computed, if the image is whole.
        problem: Why it is not whole.
    """

    header: Header
    segment_count: int
    segments: tuple[SegmentInfo, ...]
    end: int
    checksum: Checksum | None = None
    problem: FormatError | None = None


@lru_cache(maxsize=2)
def scan(data: bytes, offset: int = 0) -> ImageScan:
    """Follow the image that begins at ``offset`` as far as it goes.

    The last results are kept, as a dozen formats begin with such an image and each follows it.

    Raises:
        FormatError: There is no header: other magic, or fewer than 8 bytes.
    """
    fields = parse_at(_HEADER, data, offset, "image header")
    header = Header(1, fields.entry, fields.mode, fields.size_freq)
    count = fields.segment_count
    if count > MAX_SEGMENTS:
        problem = FormatError(
            "too many segments", offset=offset + 1, expected=f"at most {MAX_SEGMENTS}", found=str(count)
        )
        return ImageScan(header, count, (), offset + _HEADER.sizeof(), problem=problem)
    segments: list[SegmentInfo] = []
    position = offset + _HEADER.sizeof()
    for index in range(count):
        try:
            fields = parse_at(_SEGMENT, data, position, f"header of segment {index}")
        except FormatError as error:
            return ImageScan(header, count, tuple(segments), len(data), problem=error)
        start = position + _SEGMENT.sizeof()
        if start + fields.size > len(data):
            problem = FormatError(
                f"segment {index} (load address 0x{fields.address:08x}) is cut short",
                offset=start,
                expected=f"{fields.size:,} bytes",
                found=f"{len(data) - start:,} bytes",
            )
            return ImageScan(header, count, tuple(segments), len(data), problem=problem)
        segments.append(SegmentInfo(start, fields.size, fields.address))
        position = start + fields.size
    return _with_checksum(data, ImageScan(header, count, tuple(segments), position))


def _with_checksum(data: bytes, found: ImageScan) -> ImageScan:
    position = _checksum_offset(found.end)
    if position >= len(data):
        problem = FormatError(
            "the image is cut before its checksum",
            offset=len(data),
            expected=f"a checksum at offset 0x{position:05x}",
            found="the end of the file",
        )
        return found._replace(end=len(data), problem=problem)
    computed = xor8(data[s.offset : s.offset + s.size] for s in found.segments)
    cover = Cover(position, tuple((s.offset, s.offset + s.size) for s in found.segments))
    return found._replace(end=position + 1, checksum=Checksum("xor8", data[position], computed, cover=cover))


def _checksum_offset(end: int) -> int:
    # Counted from the start of the file, also for the image inside a version-2 image.
    return end | (_LINE - 1)


def patch_header(
    data: bytes, *, mode: int | None = None, freq: int | None = None, size: int | None = None
) -> bytes:
    """A copy with other header codes, None keeps one.  The checksum does not cover them and stays right.

    Args:
        data: Bytes that begin with an image.
        mode: Code from :data:`imgtool.chip.FLASH_MODES`.
        freq: Code from :data:`imgtool.chip.FLASH_FREQUENCIES`.
        size: Code of a :class:`imgtool.chip.FlashSize`.

    Raises:
        FormatError: The bytes do not begin with an image.
    """
    fields = parse_at(_HEADER, data, 0, "image header")
    fields.mode = fields.mode if mode is None else mode
    low = fields.size_freq & 0xF if freq is None else freq
    high = fields.size_freq >> 4 if size is None else size
    fields.size_freq = high << 4 | low
    return _HEADER.build(fields) + data[_HEADER.sizeof() :]


def is_plausible(data: bytes, offset: int = 0) -> bool:
    """Whether an 0xE9 image is meant for this chip: its entry point or first segment is in ESP8266 memory.

    Images for other chips begin with the same byte.  Of a file cut before its first segment only the count is
    left.
    """
    try:
        fields = parse_at(_HEADER, data, offset, "image header")
        first = parse_at(_SEGMENT, data, offset + _HEADER.sizeof(), "header of segment 0")
    except FormatError:
        return len(data) <= offset + 1 or data[offset + 1] <= MAX_SEGMENTS
    return memory_at(fields.entry) is not None or memory_at(first.address) is not None


def part_of(found: ImageScan, offset: int = 0) -> Part:
    """The image as one part of a file."""
    count = len(found.segments)
    return Part(
        PartKind.IMAGE_V1,
        offset,
        found.end - offset,
        checksum=found.checksum,
        segments=found.segments,
        note=f"{count} segment{'' if count == 1 else 's'}"
        + ("" if count == found.segment_count else f" of {found.segment_count}"),
    )


def findings_of(found: ImageScan, offset: int = 0) -> tuple[Finding, ...]:
    """What is to be said about the image itself, which begins at ``offset``."""
    findings: list[Finding] = []
    if found.problem is not None:
        code = "cut" if found.problem.offset != offset + 1 else "segment-count"
        findings.append(Finding(Severity.ERROR, code, _sentence(found.problem), found.problem.offset))
    if found.checksum is not None and not found.checksum.ok:
        check = found.checksum
        message = f"the checksum is 0x{check.stored:02x}, but the segments give 0x{check.computed:02x}"
        findings.append(Finding(Severity.ERROR, "checksum", message, found.end - 1))
    findings += address_findings(found, offset)
    findings += _header_findings(found.header, offset)
    return tuple(findings)


def address_findings(found: ImageScan, offset: int = 0) -> tuple[Finding, ...]:
    """What the chip can never do with an image: load where it has no memory, start where nothing was loaded.

    Of 255 real images with a right checksum none does, and none starts at an odd place.

    Args:
        found: The image.
        offset: Where it begins.
    """
    findings: list[Finding] = []
    for index, segment in enumerate(found.segments):
        if not loadable(segment.address, max(segment.size, 1)):
            # Nothing of an empty one is loaded; but the number of segments may be wrong.
            severity = Severity.ERROR if segment.size else Severity.WARNING
            place = segment.offset - _SEGMENT.sizeof()
            findings.append(Finding(severity, "load-address", _no_memory(index, segment), place))
    problem = entry_finding(found, offset)
    return (*findings, problem) if problem is not None else tuple(findings)


def _no_memory(index: int, segment: SegmentInfo) -> str:
    region = memory_at(segment.address)
    where = f"segment {index} is loaded to 0x{segment.address:08x}"
    if region is None or not region.loads:
        return f"{where}, where the chip has no memory for it"
    return f"{where} and is {segment.size:,} bytes long: it goes beyond the end of {region.name}"


def entry_finding(found: ImageScan, offset: int = 0, entry: int | None = None) -> Finding | None:
    """What is wrong with the entry point of an image; None for nothing.

    Args:
        found: The image.
        offset: Where the header is that states the entry point.
        entry: What that header states; None for the header of the image itself.
    """
    entry = found.header.entry if entry is None else entry
    place = offset + _ENTRY
    words = f"the entry point is 0x{entry:08x}"
    if not runnable(entry):
        message = f"{words}, where the chip has no memory for code: the program cannot start"
        return Finding(Severity.ERROR, "entry", message, place)
    # What is cut may have had more segments.
    loaded = any(s.address <= entry < s.address + s.size for s in found.segments)
    if found.problem is None and not loaded:
        message = f"{words}, and no segment is loaded there: the program cannot start"
        return Finding(Severity.ERROR, "entry", message, place)
    if entry % _WORD:
        message = f"{words}, which is no multiple of 4, as those of all programs are"
        return Finding(Severity.WARNING, "entry", message, place)
    return None


def _header_findings(header: Header, offset: int) -> list[Finding]:
    if header.mode_code == _PLACEHOLDER:
        message = "the header holds placeholders: a boot loader has set the flash up before this image starts"
        return [Finding(Severity.NOTE, "flash-placeholder", message, offset + 2)]
    findings: list[Finding] = []
    if header.mode is None:
        message = f"flash mode {header.mode_code} has no meaning to the boot ROM"
        findings.append(Finding(Severity.WARNING, "flash-mode", message, offset + 2))
    if header.flash_size is None:
        message = f"flash size code {header.size_freq_code >> 4} has no meaning to the SDK"
        findings.append(Finding(Severity.WARNING, "flash-size", message, offset + 3))
    if header.freq is None:
        message = f"flash frequency code {header.size_freq_code & 0xF} has no meaning to the boot ROM"
        findings.append(Finding(Severity.WARNING, "flash-freq", message, offset + 3))
    return findings


def _sentence(problem: FormatError) -> str:
    return f"{problem.message} (expected {problem.expected}, found {problem.found})"


def read(data: bytes) -> Reading | None:
    """Read a file that is one version-1 image, whole or damaged, with whatever follows it."""
    if data[:1] != bytes([MAGIC]) or not is_plausible(data):
        return None
    try:
        found = scan(data)
    except FormatError as problem:
        part = Part(PartKind.IMAGE_V1, 0, len(data), note="cut inside its header")
        finding = Finding(Severity.ERROR, "cut", _sentence(problem), problem.offset)
        return Reading(FileKind.IMAGE_V1, (part,), findings=(finding,))
    tail, tail_findings = trailing(data, found.end)
    findings = (*findings_of(found), *tail_findings)
    return Reading(FileKind.IMAGE_V1, (part_of(found), *tail), found.header, findings)


def trailing(data: bytes, end: int) -> tuple[tuple[Part, ...], tuple[Finding, ...]]:
    """The part behind an image that ends at ``end``, and what is to be said of it; empty at the end."""
    size = len(data) - end
    if size == 0:
        return (), ()
    if fill.is_fill(data, end, len(data), data[end]) and data[end] in (0x00, fill.ERASED):
        part = Part(PartKind.GAP, end, size, note=f"filled with 0x{data[end]:02X}")
        message = f"{size:,} bytes of 0x{data[end]:02X} stand behind the image"
        return (part,), (Finding(Severity.NOTE, "padding", message, end),)
    message = f"{size:,} bytes stand behind the image; no check covers them"
    part = Part(PartKind.UNKNOWN, end, size)
    return (part,), (Finding(Severity.WARNING, "trailing", message, end),)


def without_trailing(reading: Reading) -> Reading:
    """The reading without what :func:`trailing` said of the bytes behind its image."""
    parts = reading.parts
    while len(parts) > 1 and parts[-1].kind in (PartKind.GAP, PartKind.UNKNOWN):
        parts = parts[:-1]
    findings = tuple(finding for finding in reading.findings if finding.code not in ("trailing", "padding"))
    return reading._replace(parts=parts, findings=findings)


def inside(data: bytes, offset: int, stop: int) -> Reading | None:
    """Read the image that begins at ``offset`` of a flash, without what stands behind it."""
    reading = None if not is_plausible(data, offset) else read(stretch_of(data, offset, stop))
    return None if reading is None else without_trailing(reading).moved(offset)


def stretch_of(data: bytes, offset: int, stop: int) -> bytes:
    """The image that begins at ``offset`` and the few bytes behind it that may be its own."""
    found = scan(data, offset)
    end = found.end + _LONGEST_TAIL if found.problem is None else offset + _LONGEST
    return data[offset : min(stop, end)]
