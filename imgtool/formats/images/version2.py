"""Version-2 image: user1.bin and user2.bin for Espressif's boot loader and for rBoot (magic 0xEA).

An outer header, the irom code, then a complete version-1 image, and mostly a CRC over all of it.
Not flashable at offset 0: the boot ROM does not load it, a boot loader does.

Layout and the CRC's twist: docs/formats/image-v2.md, after Espressif's gen_appbin.py in
https://github.com/espressif/ESP8266_NONOS_SDK/tree/master/tools
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from construct import Const, Int8ul, Int32ul, Struct

from imgtool.chip import IROM_BASE, IROM_WINDOW
from imgtool.errors import FormatError
from imgtool.formats.checksums import sdk_crc
from imgtool.formats.images import version1
from imgtool.formats.images.version1 import BootImage
from imgtool.formats.reading import (
    Checksum,
    Cover,
    FileKind,
    Finding,
    Header,
    Part,
    PartKind,
    Reading,
    Severity,
)
from imgtool.formats.wire import built, parse_at

if TYPE_CHECKING:
    from imgtool.formats.images.version1 import ImageScan

__all__ = ["MAGIC", "OtaImage", "inner_offset", "read", "read_at", "with_address"]

MAGIC: Final = 0xEA

_HEADER = Struct(
    "magic" / Const(MAGIC, Int8ul),
    "irom_marker" / Const(4, Int8ul),
    "mode" / Int8ul,  # 0 where byte 3 is a slot number
    "size_freq_or_slot" / Int8ul,  # repeats the inner image's byte 3, or is the user slot
    "entry" / Int32ul,
    "irom_address" / Int32ul,  # 0 in every image seen: the boot loader knows its slots
    "irom_size" / Int32ul,
)
_CRC = Struct("stored" / Int32ul)
_LINE: Final = 16  # irom is padded so that the inner image begins at a line
_SLOTS: Final = (1, 2)
_ERASED: Final = b"\xff" * 4


@dataclass(frozen=True, slots=True)
class OtaImage:
    """A version-2 image as values.

    Attributes:
        mode_code: Byte 2 of the outer header.
        size_freq_or_slot: Byte 3 of the outer header.
        entry: Entry point in the outer header.
        irom: Code and constants that run from flash.
        boot: The inner version-1 image.
        stored_crc: The CRC behind it; None where there is none.
    """

    mode_code: int
    size_freq_or_slot: int
    entry: int
    irom: bytes
    boot: BootImage
    stored_crc: int | None = None

    @classmethod
    def parse(cls, data: bytes) -> OtaImage:
        """Read a version-2 image; the checks are read, not judged.

        Raises:
            FormatError: It is no version-2 image, or is cut short.
        """
        opened = _open(data)
        if opened.problem is not None:
            raise opened.problem
        boot = BootImage.parse(data, opened.inner)
        end = version1.scan(data, opened.inner).end
        crc = parse_at(_CRC, data, end, "CRC tail").stored if _has_crc(data, end) else None
        header = opened.header
        irom = data[_HEADER.sizeof() : opened.inner]
        return cls(header.mode_code, header.size_freq_code, header.entry, irom, boot, crc)

    def build(self) -> bytes:
        """The image as bytes, irom padded with zeros to 16 bytes, with its stored CRC if it has one.

        Raises:
            FormatError: A number that its field cannot hold, or an inner image that cannot be built.
        """
        body = self._body()
        return (
            body if self.stored_crc is None else body + built(_CRC, {"stored": self.stored_crc}, "CRC tail")
        )

    @property
    def crc(self) -> int:
        """The CRC that its bytes give."""
        return sdk_crc(self._body())

    def _body(self) -> bytes:
        irom = self.irom.ljust(-(-len(self.irom) // _LINE) * _LINE, b"\0")
        header = {
            "mode": self.mode_code,
            "size_freq_or_slot": self.size_freq_or_slot,
            "entry": self.entry,
            "irom_address": 0,
            "irom_size": len(irom),
        }
        return built(_HEADER, header, "version-2 image header") + irom + self.boot.build()


@dataclass(frozen=True, slots=True)
class _Outer:
    header: Header
    inner: int  # offset of the inner image
    problem: FormatError | None = None


def _open(data: bytes) -> _Outer:
    fields = parse_at(_HEADER, data, 0, "version-2 image header")
    header = Header(2, fields.entry, fields.mode, fields.size_freq_or_slot)
    inner = _HEADER.sizeof() + fields.irom_size
    if inner < len(data):
        return _Outer(header, inner)
    problem = FormatError(
        "the irom part is cut short",
        offset=_HEADER.sizeof(),
        expected=f"{fields.irom_size:,} bytes and an image behind them",
        found=f"{len(data) - _HEADER.sizeof():,} bytes",
    )
    return _Outer(header, inner, problem)


def _has_crc(data: bytes, end: int) -> bool:
    """Whether the four bytes behind the image are its CRC, right or wrong.

    Where more follows, as in a dump, wrong ones count only if erased flash follows them, and they are not
    erased themselves: then no tool appended a CRC.
    """
    tail = data[end : end + _CRC.sizeof()]
    if len(tail) < _CRC.sizeof():
        return False
    behind = data[end + _CRC.sizeof() : end + _LINE]
    if len(data) == end + _CRC.sizeof() or (tail != _ERASED and behind == _ERASED * 3):
        return True
    return int.from_bytes(tail, "little") == sdk_crc(data[:end])


def read(data: bytes) -> Reading | None:
    """Read a file that is one version-2 image, whole or damaged, with whatever follows it."""
    if data[:1] != bytes([MAGIC]) or data[1:2] not in (b"", b"\x04"):
        return None
    try:
        opened = _open(data)
        if opened.problem is not None:
            raise opened.problem
        inner = version1.scan(data, opened.inner)
    except FormatError as problem:
        part = Part(PartKind.IMAGE_V2, 0, len(data), note="cut or damaged")
        return Reading(FileKind.IMAGE_V2, (part,), findings=(_finding(problem),))
    boot = version1.part_of(inner, opened.inner)
    if inner.problem is None:
        tail, tail_findings = _tail(data, inner.end)
    else:  # where it ends is not known
        boot, tail, tail_findings = replace(boot, size=len(data) - opened.inner), (), ()
    header, differs = _header(opened.header, inner)
    slot = "" if header.slot is None else f", user{header.slot}"
    head = Part(PartKind.IMAGE_V2, 0, _HEADER.sizeof(), note=f"outer header{slot}")
    irom = Part(PartKind.IROM, head.end, opened.inner - head.end, note="runs from flash")
    findings = (*differs, *version1.findings_of(inner, opened.inner), *tail_findings)
    return Reading(FileKind.IMAGE_V2, (head, irom, boot, *tail), header, findings)


def read_at(data: bytes, offset: int, size: int) -> Reading | None:
    """Read the image in a stretch of a file as :func:`read` reads a whole file; offsets are the file's.

    The image counts its lines of 16 bytes from its own start, wherever it lies.
    """
    reading = read(data[offset : offset + size])
    return None if reading is None else reading.moved(offset)


def inside(data: bytes, offset: int, stop: int) -> Reading | None:
    """Read the image that begins at ``offset`` of a flash, without what stands behind it."""
    inner = inner_offset(data, offset)
    if inner is None or inner >= stop or data[inner] != version1.MAGIC:
        return None
    end = inner + len(version1.stretch_of(data, inner, stop))
    reading = read_at(data, offset, end - offset)
    if reading is None:
        return None
    whole = version1.without_trailing(reading)
    return whole._replace(parts=tuple(with_address(part) for part in whole.parts))


def with_address(part: Part) -> Part:
    """The part of a flash; irom runs where the cache shows the offset that it has there."""
    if part.kind is not PartKind.IROM:
        return part
    return replace(part, address=IROM_BASE + part.offset % IROM_WINDOW)


def inner_offset(data: bytes, offset: int = 0) -> int | None:
    """Where the version-1 image inside the image at ``offset`` should begin, None if no header is there."""
    try:
        fields = parse_at(_HEADER, data, offset, "version-2 image header")
    except FormatError:
        return None
    return offset + _HEADER.sizeof() + int(fields.irom_size)


def _finding(problem: FormatError) -> Finding:
    detail = "" if problem.expected is None else f" (expected {problem.expected}, found {problem.found})"
    return Finding(Severity.ERROR, "cut", problem.message + detail, problem.offset)


def _header(outer: Header, image: ImageScan) -> tuple[Header, tuple[Finding, ...]]:
    """The header in force, which is the inner one, and what the outer one contradicts.

    Espressif's gen_appbin.py writes the user slot into the outer byte 3 (some tools count slots from 0) and
    leaves byte 2 zero; esptool and older tools repeat the inner bytes.  Neither is a mismatch.
    """
    inner = image.header
    repeats = outer.size_freq_code == inner.size_freq_code
    slot = outer.size_freq_code if outer.size_freq_code in _SLOTS and not repeats else None
    findings: list[Finding] = []
    if outer.entry != inner.entry:
        message = f"the outer entry point 0x{outer.entry:08x} is not the inner one, 0x{inner.entry:08x}"
        impossible = version1.entry_finding(image, 0, outer.entry)
        findings.append(impossible or Finding(Severity.WARNING, "entry", message, 4))
    if not repeats and outer.size_freq_code > max(_SLOTS):
        message = (
            f"outer header byte 3 (0x{outer.size_freq_code:02x}) is neither a user slot nor the inner "
            f"header's 0x{inner.size_freq_code:02x}"
        )
        findings.append(Finding(Severity.WARNING, "outer-header", message, 3))
    header = Header(2, inner.entry, inner.mode_code, inner.size_freq_code, slot)
    return header, tuple(findings)


def _tail(data: bytes, end: int) -> tuple[tuple[Part, ...], tuple[Finding, ...]]:
    if end == len(data):
        message = "no CRC stands behind the image, so nothing covers its irom part; some tools append none"
        return (), (Finding(Severity.NOTE, "no-crc", message, end),)
    if _has_crc(data, end):
        stored = int.from_bytes(data[end : end + 4], "little")
        check = Checksum("sdk-crc32", stored, sdk_crc(data[:end]), 32, Cover(end, ((0, end),)))
        part = Part(PartKind.CRC_TAIL, end, 4, checksum=check, note="covers everything before it")
        rest, findings = version1.trailing(data, part.end)
        if check.ok:
            return (part, *rest), findings
        message = f"the CRC is 0x{check.stored:08x}, but the bytes give 0x{check.computed:08x}"
        return (part, *rest), (Finding(Severity.ERROR, "crc", message, end), *findings)
    if len(data) - end < _CRC.sizeof():
        part = Part(PartKind.CRC_TAIL, end, len(data) - end, note="cut")
        message = f"the CRC behind the image is cut: {part.size} of 4 bytes"
        return (part,), (Finding(Severity.ERROR, "cut", message, end),)
    return version1.trailing(data, end)
