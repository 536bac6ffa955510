"""Gzip files: OTA images of the Arduino core and of Tasmota come packed this way, and so do downloads.

Only the first member is unpacked, as the updaters do.  Gzipped LFS images are not this format: lfs.py takes
them first.

Source: RFC 1952, https://www.rfc-editor.org/rfc/rfc1952; see docs/formats/gzip.md.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from construct import Bytes, Int8ul, Int16ul, Int32ul, Struct

from imgtool.errors import FormatError
from imgtool.formats import fill
from imgtool.formats.reading import (
    Checksum,
    FileKind,
    Finding,
    Part,
    PartKind,
    Reading,
    Severity,
)
from imgtool.formats.wire import built, parse_at

__all__ = ["MAX_CONTENT", "GzipMember", "GzipStream", "read"]

_HEADER = Struct(
    "magic" / Bytes(2),
    "method" / Int8ul,
    "flags" / Int8ul,
    "time" / Int32ul,
    "extra_flags" / Int8ul,
    "system" / Int8ul,
)
_EXTRA = Struct("size" / Int16ul)
_TRAILER = Struct(
    "crc" / Int32ul,
    "size" / Int32ul,
)
_MAGIC: Final = b"\x1f\x8b"
_DEFLATE: Final = 8
_START: Final = _MAGIC + bytes([_DEFLATE])
_ANY_SYSTEM: Final = 0xFF
_HAS_HEADER_CRC, _HAS_EXTRA, _HAS_NAME, _HAS_COMMENT = 0x02, 0x04, 0x08, 0x10
_LONGEST_TEXT: Final = 1 << 12
_STEP: Final = 1 << 16

MAX_CONTENT: Final = 0x101_0000
"""Bytes that are unpacked at most: the largest flash, and a little more for what was glued to an image."""


class GzipStream(NamedTuple):
    """What a gzip file says of its first member, and how much came out of it.

    Attributes:
        name: Name of the packed file; empty where none is stored.
        unpacked: Bytes that came out.
    """

    name: str
    unpacked: int


class GzipMember(NamedTuple):
    """What the first member of a gzip file holds.

    Attributes:
        name: Name of the packed file; empty where none is stored.
        content: The unpacked bytes.
    """

    name: str
    content: bytes

    @classmethod
    def parse(cls, data: bytes) -> GzipMember:
        """Unpack the first member; bytes behind it are ignored.

        Raises:
            FormatError: No gzip file, damaged, cut short, or more than :data:`MAX_CONTENT` bytes come out.
        """
        reading = read(data)
        if reading is None:
            found = data[: len(_START)].hex(" ")
            raise FormatError("no gzip file", offset=0, expected=_START.hex(" "), found=found)
        problem = next((found for found in reading.findings if found.severity is Severity.ERROR), None)
        if problem is not None:
            raise FormatError(problem.message, offset=problem.offset)
        stream = reading.parts[0].value
        return cls(stream.name if isinstance(stream, GzipStream) else "", reading.content or b"")

    def build(self) -> bytes:
        """A gzip file that holds nothing else, without a time: the same bytes whenever zlib is the same.

        Not written by Python's gzip, which shortens names.

        Raises:
            FormatError: A name that cannot be stored, or more content than is unpacked.
        """
        if len(self.content) > MAX_CONTENT:
            expected, found = f"at most {MAX_CONTENT:,} bytes", f"{len(self.content):,} bytes"
            raise FormatError("the content is larger than any flash", expected=expected, found=found)
        name = self.name.encode("latin-1", "ignore") if self.name.isprintable() else b""
        if name.decode("latin-1") != self.name or len(name) >= _LONGEST_TEXT:
            expected = f"fewer than {_LONGEST_TEXT:,} printable characters of Latin-1"
            raise FormatError("gzip cannot store the name", expected=expected, found=repr(self.name))
        header = {
            "magic": _MAGIC,
            "method": _DEFLATE,
            "flags": _HAS_NAME if name else 0,
            "time": 0,
            "extra_flags": 0,
            "system": _ANY_SYSTEM,
        }
        trailer = {"crc": zlib.crc32(self.content), "size": len(self.content)}
        return b"".join(
            (
                built(_HEADER, header, "the gzip header"),
                name + b"\0" if name else b"",
                zlib.compress(self.content, wbits=-zlib.MAX_WBITS),
                built(_TRAILER, trailer, "the check behind the gzip stream"),
            )
        )


@dataclass(frozen=True, slots=True)
class _Unpacked:
    """What came out.

    Attributes:
        content: The unpacked bytes, as far as they came.
        end: Offset behind the deflate stream; None if it has no end.
        problem: Why it has none.
        name: Name of the packed file; empty where none is stored.
    """

    content: bytes
    end: int | None
    problem: Finding | None = None
    name: str = ""


def read(data: bytes) -> Reading | None:
    """Read a gzip file, whole or damaged; its content is read in its turn."""
    if not data.startswith(_MAGIC) or data[2:3] not in (b"", bytes([_DEFLATE])):
        return None
    try:
        start, name = _header(data)
    except FormatError as problem:
        finding = Finding(Severity.ERROR, "cut", problem.message, problem.offset)
        return _reading(data, len(data), _Unpacked(b"", None), None, (finding,))
    unpacked = replace(_inflate(data, start), name=name)
    if unpacked.problem is not None:
        return _reading(data, len(data), unpacked, None, (unpacked.problem,))
    end = unpacked.end or start
    try:
        fields = parse_at(_TRAILER, data, end, "the check behind the gzip stream")
    except FormatError as problem:
        finding = Finding(Severity.ERROR, "cut", problem.message, problem.offset)
        return _reading(data, len(data), unpacked, None, (finding,))
    check = Checksum("crc32", fields.crc, zlib.crc32(unpacked.content), 32)
    findings: list[Finding] = []
    if not check.ok:
        message = f"the CRC is 0x{check.stored:08x}, but the unpacked bytes give 0x{check.computed:08x}"
        findings.append(Finding(Severity.ERROR, "crc", message, end))
    if fields.size != len(unpacked.content):
        message = f"the stream states {fields.size:,} bytes, but {len(unpacked.content):,} came out"
        findings.append(Finding(Severity.ERROR, "size", message, end + 4))
    return _reading(data, end + _TRAILER.sizeof(), unpacked, check, tuple(findings))


def _header(data: bytes) -> tuple[int, str]:
    """Where the deflate stream begins, and the name of the packed file."""
    fields = parse_at(_HEADER, data, 0, "the gzip header")
    position, name = _HEADER.sizeof(), b""
    if fields.flags & _HAS_EXTRA:
        position += _EXTRA.sizeof() + parse_at(_EXTRA, data, position, "the gzip header").size
    for flag in (_HAS_NAME, _HAS_COMMENT):
        if fields.flags & flag:
            end = data.find(b"\0", position, position + _LONGEST_TEXT)
            if end < 0:
                raise FormatError("the gzip header is cut short", offset=position)
            name = data[position:end] if flag == _HAS_NAME else name
            position = end + 1
    if fields.flags & _HAS_HEADER_CRC:
        position += 2
    return position, "".join(c for c in name.decode("latin-1") if c.isprintable())


def _inflate(data: bytes, start: int) -> _Unpacked:
    """Unpack step by step, so that damage costs only what stands behind it, and a bomb no memory."""
    unpacker = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    pieces: list[bytes] = []
    total = 0
    for position in range(start, len(data), _STEP):
        packed = data[position : position + _STEP]
        while packed and not unpacker.eof:
            try:
                piece = unpacker.decompress(packed, _STEP)
            except zlib.error as error:
                message = f"the gzip stream is damaged ({_reason(error)}); {total:,} bytes came out before"
                finding = Finding(Severity.ERROR, "damaged", message, position)
                return _Unpacked(b"".join(pieces), None, finding)
            pieces.append(piece)
            total += len(piece)
            if total > MAX_CONTENT:
                message = f"more than {MAX_CONTENT:,} bytes come out of it; no ESP8266 flash is that large"
                return _Unpacked(b"", None, Finding(Severity.ERROR, "too-large", message))
            packed = unpacker.unconsumed_tail
        if unpacker.eof:
            end = min(position + _STEP, len(data)) - len(unpacker.unused_data)
            return _Unpacked(b"".join(pieces), end)
    message = f"the gzip stream is cut short; {total:,} bytes came out"
    return _Unpacked(b"".join(pieces), None, Finding(Severity.ERROR, "cut", message, len(data)))


def _reason(error: zlib.error) -> str:
    # The reason stands behind "Error -3 while decompressing data: ".
    return str(error).rpartition(": ")[2]


def _reading(
    data: bytes,
    end: int,
    unpacked: _Unpacked,
    check: Checksum | None,
    findings: tuple[Finding, ...],
) -> Reading:
    size = len(unpacked.content)
    note = f"gzip of {size:,} bytes" if check is not None else "gzip"
    value = GzipStream(unpacked.name, size)
    part = Part(PartKind.UNKNOWN, 0, end, checksum=check, note=note, value=value)
    return Reading(
        FileKind.GZIP,
        (part, *_behind(data, end)),
        findings=(*findings, *_findings_behind(data, end)),
        content=unpacked.content or None,
    )


def _behind(data: bytes, end: int) -> tuple[Part, ...]:
    return (Part(PartKind.UNKNOWN, end, len(data) - end),) if end < len(data) else ()


def _findings_behind(data: bytes, end: int) -> tuple[Finding, ...]:
    if end == len(data):
        return ()
    size = len(data) - end
    if fill.is_fill(data, end, len(data), data[end]):
        message = f"{size:,} bytes of 0x{data[end]:02X} stand behind the gzip stream"
        return (Finding(Severity.NOTE, "padding", message, end),)
    message = f"{size:,} bytes stand behind the gzip stream; no check covers them"
    return (Finding(Severity.WARNING, "trailing", message, end),)
