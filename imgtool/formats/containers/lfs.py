"""Lua Flash Store images (lfs.img): a Lua 5.1 image with its relocation bitmap, mostly gzipped.

An image from ``luac.cross -f`` holds word offsets where pointers go; relocation turns each into an address
for the flash partition that the image goes to.  An image made for a fixed address has no bitmap.  The first
images, of 2018, have no bitmap either: each pointer says where the next one stands.  Lua 5.3 images have
another structure, which only the firmware itself can load.

Source: lflash.c and luac_cross of https://github.com/nodemcu/nodemcu-firmware; see docs/formats/lfs.md.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Final

from construct import Int32ul, Padding, Struct

from imgtool.chip import IROM_BASE
from imgtool.errors import FormatError
from imgtool.formats.images.version1 import trailing
from imgtool.formats.reading import FileKind, Finding, Part, PartKind, Reading, Severity
from imgtool.formats.wire import parse_at

__all__ = ["EarlyLfs", "Lfs53Image", "LfsHeader", "LfsImage", "inside", "read"]

_HEADER = Struct(
    "signature" / Int32ul,
    "size" / Int32ul,  # of the image without the bitmap, bytes
    "main_proto" / Int32ul,
    "string_hash" / Int32ul,
    "strings_used" / Int32ul,
    "strings_size" / Int32ul,
    "reserved" / Padding(8),
)
_MAGIC_51: Final = 0xFAFA_A150
_MAGIC_53: Final = 0xFAFA_A250
_MAGIC_2018: Final = 0xFAFA_AF50
_FIRST_LINK: Final = 2  # word: the main function
_LEAST_53: Final = 48  # bytes of the header that the firmware writes
_ABSOLUTE: Final = 0x01
_INTEGER: Final = 0x02
_PACKED: Final = 0x04
_UNFINISHED: Final = 0x08
_GZIP: Final = b"\x1f\x8b"
_LUA_53: Final = b"\x1bLua\x53"
_LOADS_2018: Final = "only NodeMCU 2.2.1 from before 2018-12-07 loads it, later firmware needs it made anew"
_MOST: Final = 0x10_0000  # no partition can be larger than the cache window


@dataclass(frozen=True, slots=True)
class LfsHeader:
    """What the header of a Lua 5.1 LFS image says.

    Attributes:
        signature: The first word: a magic, and flags.
        size: Bytes of the image without the bitmap.
        main_proto: Where its code begins: an address, or an offset in words.
        string_hash: Where its table of strings begins, likewise.
    """

    signature: int
    size: int
    main_proto: int
    string_hash: int

    @property
    def absolute(self) -> bool:
        """Whether the image was made for a fixed address."""
        return bool(self.signature & _ABSOLUTE)

    @property
    def number_type(self) -> str:
        """``integer`` or ``float``; the firmware refuses the other kind."""
        return "integer" if self.signature & _INTEGER else "float"

    @property
    def packed(self) -> bool:
        """Whether its values are packed, as the firmware's default is."""
        return bool(self.signature & _PACKED)

    @property
    def unfinished(self) -> bool:
        """Whether the firmware was interrupted while it wrote the image."""
        return bool(self.signature & _UNFINISHED)

    def stands_at(self, address: int) -> bool:
        """Whether its addresses are those of flash address ``address``; never for one that can be moved."""
        base = IROM_BASE + address
        return self.absolute and all(
            base <= word < base + self.size for word in (self.main_proto, self.string_hash)
        )


@dataclass(frozen=True, slots=True)
class EarlyLfs:
    """An image of 2018, before the format that is gzipped and has a bitmap: plain, its pointers a chain.

    Of each pointer the lower half is the word that it points to, the upper half the word with the next
    pointer; the chain begins at the main function, word 2, and ends with 0.  It holds only where nothing
    was cut or moved.

    Attributes:
        header: Its first words, with the same flags as later images.
        links: How many pointers the chain has; None where it breaks, or the image has fixed addresses.
        broken: The word where it breaks; None where it does not.
    """

    header: LfsHeader
    links: int | None
    broken: int | None = None

    @classmethod
    def parse(cls, data: bytes) -> EarlyLfs:
        """Read an image; whether its chain holds is not judged.

        Raises:
            FormatError: Another signature, or it is shorter than it says.
        """
        fields = parse_at(_HEADER, data, 0, "LFS header")
        if fields.signature & 0xFFFF_FFF0 != _MAGIC_2018:
            raise FormatError(
                "not an LFS image of 2018", offset=0, expected=_MAGIC_2018, found=fields.signature
            )
        size = fields.size
        if size % 4 or not _HEADER.sizeof() <= size <= len(data):
            expected, found = f"{size:,} bytes", f"{len(data):,} bytes"
            raise FormatError("the LFS image is cut short", offset=4, expected=expected, found=found)
        header = LfsHeader(fields.signature, size, fields.main_proto, fields.string_hash)
        if header.absolute:
            return cls(header, None)
        words = struct.unpack_from(f"<{size // 4}I", data)
        at, links = _FIRST_LINK, 0
        while at:
            target, following = words[at] & 0xFFFF, words[at] >> 16
            links += 1
            # More links than words would go round for ever.
            if max(target, following) >= len(words) or links >= len(words):
                return cls(header, None, at)
            at = following
        return cls(header, links)


@dataclass(frozen=True, slots=True)
class Lfs53Image:
    """A Lua 5.3 LFS image, of which only the firmware itself can read more.

    Attributes:
        size: Its bytes; None for one that no firmware has loaded yet, whose header does not say.
    """

    size: int | None = None


@dataclass(frozen=True, slots=True)
class LfsImage:
    """A Lua 5.1 LFS image.

    Attributes:
        image: Its bytes, ``size`` of the header long.
        bitmap: One bit a word, lowest bit first; empty for an image with fixed addresses.
    """

    image: bytes
    bitmap: bytes

    @classmethod
    def parse(cls, data: bytes) -> LfsImage:
        """Read an image, unpacking it first if it is gzipped.

        Raises:
            FormatError: Not a Lua 5.1 LFS image, damaged, or cut short.
        """
        if data.startswith(_LUA_53):
            raise FormatError(
                "this is a Lua 5.3 LFS image, which only the firmware can load (node.LFS.reload)",
                offset=0,
                expected="a Lua 5.1 LFS image",
                found="Lua 5.3",
            )
        raw = _unpack(data) if data.startswith(_GZIP) else data
        fields = parse_at(_HEADER, raw, 0, "LFS header")
        if fields.signature & 0xFFFF_FFF0 == _MAGIC_2018:
            raise FormatError(
                f"this is an LFS image of 2018: {_LOADS_2018}",
                offset=0,
                expected="a Lua 5.1 LFS image of 2.2.1-20181207 or later",
                found="one of 2018",
            )
        if fields.signature & 0xFFFF_FFF0 != _MAGIC_51:
            raise FormatError("not an LFS image", offset=0, expected=_MAGIC_51, found=fields.signature)
        size = fields.size
        absolute = bool(fields.signature & _ABSOLUTE)
        bitmap_size = 0 if absolute else -(-(size // 4) // 32) * 4
        if size % 4 or size < _HEADER.sizeof() or len(raw) < size + bitmap_size:
            raise FormatError(
                "the LFS image is cut short",
                offset=4,
                expected=f"{size + bitmap_size:,} bytes",
                found=f"{len(raw):,} bytes",
            )
        return cls(raw[:size], raw[size : size + bitmap_size])

    def build(self, *, packed: bool = False) -> bytes:
        """The image and its bitmap as bytes, gzipped or as they are.

        Raises:
            FormatError: The header states another size, or there is not one bit for each word.
        """
        raw = self.image + self.bitmap
        if LfsImage.parse(raw) != self:
            size = int.from_bytes(self.image[4:8], "little")
            found = f"{len(self.image):,} and {len(self.bitmap):,} bytes"
            expected = f"{size:,} bytes by its header, and their bitmap"
            raise FormatError("the LFS image has another size", offset=4, expected=expected, found=found)
        if not packed:
            return raw
        from imgtool.formats.containers.gzip_file import GzipMember  # noqa: PLC0415 - not needed to read

        return GzipMember("", raw).build()

    @property
    def header(self) -> LfsHeader:
        """What its first words say."""
        words = (int.from_bytes(self.image[at : at + 4], "little") for at in (0, 4, 8, 12))
        return LfsHeader(*words)

    @property
    def signature(self) -> int:
        """The first word."""
        return self.header.signature

    @property
    def absolute(self) -> bool:
        """Whether it was made for a fixed address."""
        return self.header.absolute

    @property
    def number_type(self) -> str:
        """``integer`` or ``float``; the firmware refuses the other kind."""
        return self.header.number_type

    @property
    def packed(self) -> bool:
        """Whether its values are packed, as the firmware's default is."""
        return self.header.packed

    @property
    def unfinished(self) -> bool:
        """Whether the firmware was interrupted while it wrote the image."""
        return self.header.unfinished

    def stands_at(self, address: int) -> bool:
        """Whether its addresses are those of flash address ``address``; never for one that can be moved."""
        return self.header.stands_at(address)

    def at(self, address: int) -> bytes:
        """The image as it must stand in flash at ``address``.

        Raises:
            FormatError: A pointer leaves the image, or the image was made for another address.
        """
        base = IROM_BASE + address
        if self.absolute:
            main = int.from_bytes(self.image[8:12], "little")
            if not base <= main < base + len(self.image):
                raise FormatError(
                    "the LFS image has fixed addresses for another place",
                    offset=8,
                    expected=f"an address from 0x{base:08x} on",
                    found=f"0x{main:08x}",
                )
            return self.image
        block = bytearray(self.image)
        bits = int.from_bytes(self.bitmap, "little")
        for index in _set_bits(bits):
            place = 4 * index
            if place >= len(block):
                raise FormatError(
                    "the LFS relocation bitmap marks a word behind the image",
                    offset=place,
                    expected=f"less than 0x{len(block):x}",
                    found=f"0x{place:x}",
                )
            word = int.from_bytes(block[place : place + 4], "little")
            if 4 * word >= len(block):
                raise FormatError(
                    "the LFS relocation bitmap marks a word that is no offset",
                    offset=place,
                    expected=f"less than 0x{len(block) // 4:x}",
                    found=f"0x{word:x}",
                )
            block[place : place + 4] = (base + 4 * word).to_bytes(4, "little")
        block[:4] = (self.signature | _ABSOLUTE).to_bytes(4, "little")
        return bytes(block)


def _set_bits(bits: int) -> list[int]:
    return [index for index, bit in enumerate(reversed(f"{bits:b}")) if bit == "1"]


def _unpack(data: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        raw = unpacker.decompress(data, _MOST)
    except zlib.error as error:
        raise FormatError(f"the gzip stream is damaged ({error})", offset=0) from error
    if not unpacker.eof:
        raise FormatError(
            "the gzip stream is cut short, or holds more than an LFS image can",
            expected=f"its end within {_MOST:,} bytes",
            found=f"{len(raw):,} bytes without an end",
        )
    return raw


def _inside_53(data: bytes, offset: int, stop: int) -> Reading | None:
    """The image that a Lua 5.3 firmware has loaded; of its header only the size is looked at."""
    size = int.from_bytes(data[offset + 4 : offset + 8], "little")
    if size % 4 or not _LEAST_53 <= size <= min(stop - offset, _MOST):
        return None
    value = Lfs53Image(size)
    part = Part(PartKind.LFS, offset, size, IROM_BASE + offset, note="Lua 5.3 image", value=value)
    return Reading(FileKind.LFS, (part,))


def _inside_2018(data: bytes, offset: int, stop: int) -> Reading | None:
    """An image of 2018 in a flash: loaded, so with the addresses of its place, or as it came."""
    try:
        image = EarlyLfs.parse(data[offset : min(stop, offset + _MOST)])
    except FormatError:
        return None
    if image.broken is not None or (image.header.absolute and not image.header.stands_at(offset)):
        return None
    part = Part(
        PartKind.LFS, offset, image.header.size, IROM_BASE + offset, note=_note_2018(image), value=image
    )
    return Reading(FileKind.LFS, (part,))


def _note_2018(image: EarlyLfs) -> str:
    links = "" if image.links is None else f", {image.links:,} links"
    return f"Lua 5.1 image of 2018, {image.header.number_type}{links}"


def _read_2018(data: bytes) -> Reading:
    loads = Finding(Severity.NOTE, "lfs-2018", f"this is an LFS image of 2018: {_LOADS_2018}", 0)
    try:
        image = EarlyLfs.parse(data)
    except FormatError as problem:
        damaged = _damaged(data, problem)
        return damaged._replace(findings=(*damaged.findings, loads))
    size = image.header.size
    findings = [loads]
    if image.broken is not None:
        at = 4 * image.broken
        message = f"the image is damaged: the chain of its pointers breaks at 0x{at:x}"
        findings.insert(0, Finding(Severity.ERROR, "lfs-chain", message, at))
    part = Part(PartKind.LFS, 0, size, note=_note_2018(image), value=image)
    tail, tail_findings = trailing(data, size)
    return Reading(FileKind.LFS, (part, *tail), findings=(*findings, *tail_findings))


def inside(data: bytes, offset: int, stop: int) -> Reading | None:
    """Read the loaded image, one with fixed addresses, that begins at ``offset`` of a flash."""
    magic = int.from_bytes(data[offset : offset + 4], "little") & 0xFFFF_FFF0
    if magic == _MAGIC_53:
        return _inside_53(data, offset, stop)
    if magic == _MAGIC_2018:
        return _inside_2018(data, offset, stop)
    if magic != _MAGIC_51:
        return None
    try:
        image = LfsImage.parse(data[offset:stop])
    except FormatError:
        return None
    size = len(image.image)
    note = f"Lua 5.1 image, {image.number_type}"
    part = Part(PartKind.LFS, offset, size, IROM_BASE + offset, note=note, value=image.header)
    return Reading(FileKind.LFS, (part,))


def read(data: bytes) -> Reading | None:
    """Read a file that is an LFS image, gzipped or not."""
    if int.from_bytes(data[:4], "little") & 0xFFFF_FFF0 == _MAGIC_2018:
        return _read_2018(data)
    try:
        image = LfsImage.parse(data)
    except FormatError as problem:
        if int.from_bytes(data[:4], "little") & 0xFFFF_FFF0 == _MAGIC_51:
            return _damaged(data, problem)
        if not data.startswith(_LUA_53):
            return None
        part = Part(PartKind.LFS, 0, len(data), note="Lua 5.3 image", value=Lfs53Image())
        finding = Finding(Severity.NOTE, "lfs-5.3", problem.message)
        return Reading(FileKind.LFS, (part,), findings=(finding,))
    packed = "gzipped " if data.startswith(_GZIP) else ""
    note = f"{packed}Lua 5.1 image, {image.number_type}, {len(image.image):,} bytes"
    return Reading(FileKind.LFS, (Part(PartKind.LFS, 0, len(data), note=note, value=image.header),))


def _damaged(data: bytes, problem: FormatError) -> Reading:
    part = Part(PartKind.LFS, 0, len(data), note="Lua 5.1 image, cut")
    message = f"{problem.message} (expected {problem.expected}, found {problem.found})"
    finding = Finding(Severity.ERROR, "cut", message, problem.offset)
    return Reading(FileKind.LFS, (part,), findings=(finding,))
