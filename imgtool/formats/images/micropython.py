"""MicroPython and CircuitPython: a version-1 image, 0xFF fill, irom at 0x9000 and an MD5, in one file.

The last word before irom holds irom's end.  The MD5 leaves out the first four bytes, so that flash mode and
size may be changed.  Not an aggregated image, whose irom begins at 0x10000.

Source: ports/esp8266/makeimg.py of https://github.com/micropython/micropython, confirmed on a real image; see
docs/formats/micropython.md.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from construct import Bytes, Int32ul, Struct

from imgtool.chip import IROM_BASE
from imgtool.errors import FormatError
from imgtool.formats import fill
from imgtool.formats.images import irom, version1
from imgtool.formats.images.embedded import Stretch, filler
from imgtool.formats.images.version1 import BootImage
from imgtool.formats.reading import Checksum, Cover, FileKind, Finding, Part, PartKind, Reading, Severity
from imgtool.formats.wire import built, parse_at

if TYPE_CHECKING:
    from imgtool.formats.images.version1 import ImageScan

__all__ = ["IROM_OFFSET", "LENGTH_OFFSET", "MicropythonImage", "Tail", "read"]

IROM_OFFSET: Final = 0x9000
LENGTH_OFFSET: Final = IROM_OFFSET - 4

_LENGTH = Struct("end" / Int32ul)
_MD5: Final = 16
_UNCOVERED: Final = 4  # magic, segment count, mode, size: what flashing tools patch
_NONE: Final = 0xFFFF_FFFF
_MOST_FLASH: Final = 0x100_0000
# Fill that a length word must follow, and irom that is no fill: enough to tell the layout.
_SURE: Final = 16
_BANNER: Final = re.compile(rb"(?:MicroPython|CircuitPython) v?\d[\w.+-]* on \d{4}-\d\d-\d\d")


class Tail(NamedTuple):
    """The length word and what it says of the file.

    Attributes:
        end: Offset behind irom, where the MD5 stands; None in builds before there was one.
        check: The MD5, None where there is none or the file ends before it.
    """

    end: int | None
    check: Checksum | None

    @classmethod
    def parse(cls, data: bytes) -> Tail:
        """Read the length word and the MD5.

        Raises:
            FormatError: The file ends before irom.
        """
        end = parse_at(_LENGTH, data, LENGTH_OFFSET, "length word").end
        if end == _NONE:
            return cls(None, None)
        return cls(end, _check(data, end))

    @property
    def ok(self) -> bool:
        """Whether there is an MD5 and it is right."""
        return self.check is not None and self.check.ok


class MicropythonImage(NamedTuple):
    """A MicroPython image as values.

    Attributes:
        boot: The version-1 image.
        code: irom.
        stored_md5: The MD5 in the file; None in the earliest builds, which have no length word either.
    """

    boot: BootImage
    code: bytes
    stored_md5: bytes | None = None

    @classmethod
    def parse(cls, data: bytes) -> MicropythonImage:
        """Read an image, erased fill, the length word, irom and the MD5; the checks are read, not judged.

        Raises:
            FormatError: No whole image, something between it and the length word, or cut short.
        """
        boot = BootImage.parse(data)
        fill.expect(data, version1.scan(data).end, LENGTH_OFFSET)
        tail = Tail.parse(data)
        if tail.end is None:
            return cls(boot, data[IROM_OFFSET:])
        if tail.check is None:
            expected, found = f"an MD5 at 0x{tail.end:05x}", f"{len(data):,} bytes"
            message = "the length word leads to no MD5"
            raise FormatError(message, offset=LENGTH_OFFSET, expected=expected, found=found)
        return cls(boot, data[IROM_OFFSET : tail.end], data[tail.end : tail.end + _MD5])

    def build(self) -> bytes:
        """The image as bytes, with its stored MD5 if it has one.

        Raises:
            FormatError: The image reaches into the length word, or no MD5.
        """
        if self.stored_md5 is None:
            return self._body(_NONE)
        return self._body(IROM_OFFSET + len(self.code)) + built(Bytes(_MD5), self.stored_md5, "MD5")

    @property
    def md5(self) -> bytes:
        """The MD5 that its bytes give.

        Raises:
            FormatError: As :meth:`build`.
        """
        return _digest(self._body(IROM_OFFSET + len(self.code)))

    def _body(self, end: int) -> bytes:
        head = fill.padded(self.boot.build(), LENGTH_OFFSET, "the image reaches into the length word")
        return head + built(_LENGTH, {"end": end}, "length word") + self.code


def _digest(body: bytes | memoryview) -> bytes:
    """The MD5 of a file up to the end of irom."""
    return hashlib.md5(memoryview(body)[_UNCOVERED:], usedforsecurity=False).digest()


def _check(data: bytes, end: int) -> Checksum | None:
    stored = data[end : end + _MD5]
    if end < IROM_OFFSET or len(stored) < _MD5:
        return None
    computed = _digest(memoryview(data)[:end])
    cover = Cover(end, ((_UNCOVERED, end),))
    return Checksum("md5", int.from_bytes(stored, "big"), int.from_bytes(computed, "big"), 128, cover)


def _tail_if_ours(data: bytes, found: ImageScan) -> Tail | None:
    """What the length word says, None if the file has another layout.

    The layout is fill before the word and none behind it; the word, the MD5 or the banner then confirms it.
    """
    # A damaged byte or two in the fill do not hide the layout.
    before = data[LENGTH_OFFSET - _SURE : LENGTH_OFFSET].count(fill.ERASED) >= _SURE - 2
    behind = fill.is_fill(data, IROM_OFFSET, IROM_OFFSET + _SURE)
    if len(data) < IROM_OFFSET + _SURE or behind:
        return None
    tail = Tail.parse(data)
    if tail.ok:
        return tail
    if not before or (found.problem is None and found.end > LENGTH_OFFSET):
        return None
    believable = tail.end is not None and IROM_OFFSET < tail.end <= _MOST_FLASH and tail.end % 4 == 0
    if believable or _BANNER.search(data) is not None or _only_length_is_wrong(data):
        return tail
    return None


def _only_length_is_wrong(data: bytes) -> bool:
    """Whether the MD5 is the file's last bytes and right once the length word says so."""
    end = len(data) - _MD5
    word = _LENGTH.build({"end": max(end, 0)})
    check = _check(data[:LENGTH_OFFSET] + word + data[IROM_OFFSET:], end)
    return check is not None and check.ok


def read(data: bytes) -> Reading | None:
    """Read a file as MicroPython or CircuitPython, whole or damaged, with whatever follows it."""
    if data[:1] != bytes([version1.MAGIC]):
        return None
    try:
        found = version1.scan(data)
    except FormatError:
        return None
    tail = _tail_if_ours(data, found)
    if tail is None:
        return None
    head = _head(data, found, tail)
    body = _with_tail(data, tail) if tail.end is not None else _without_tail(data, found)
    whole = head + body
    return Reading(FileKind.MICROPYTHON, whole.parts, found.header, whole.findings)


def _head(data: bytes, found: ImageScan, tail: Tail) -> Stretch:
    """The image, the fill and the length word."""
    part = version1.part_of(found)
    end = found.end
    if found.problem is not None or end > LENGTH_OFFSET:
        # Its segments lead astray; the fill tells where it ends.
        end = max(1, fill.run_start(data, 0, LENGTH_OFFSET))
        part = Part(PartKind.IMAGE_V1, 0, end, segments=found.segments, note="damaged")
    whole = Stretch((part,), version1.findings_of(found)) + filler(data, end, LENGTH_OFFSET)
    if tail.end is None:
        return whole + Stretch((Part(PartKind.GAP, LENGTH_OFFSET, 4, note="no length word"),))
    part = Part(PartKind.LENGTH_CRC_WORDS, LENGTH_OFFSET, 4, note="where irom ends, no CRC", value=tail)
    return whole + Stretch((part,))


def _irom(end: int) -> Part:
    return Part(PartKind.IROM, IROM_OFFSET, end - IROM_OFFSET, IROM_BASE + IROM_OFFSET)


def _without_tail(data: bytes, found: ImageScan) -> Stretch:
    """Irom of an early build without length and MD5."""
    named = irom.behind(data, found.segments, IROM_BASE + len(data))
    return Stretch((_irom(len(data)),), (irom.cover_finding(data, IROM_OFFSET, IROM_OFFSET, named),))


def _with_tail(data: bytes, tail: Tail) -> Stretch:
    """The irom part and the MD5, and what follows."""
    end = tail.end if tail.end is not None else len(data)
    at_end = _check(data, len(data) - _MD5)
    if not tail.ok and at_end is not None and _only_length_is_wrong(data):
        message = (
            f"the length word says 0x{end:08x}, but irom ends at 0x{len(data) - _MD5:05x}: with that the MD5 "
            "would be right"
        )
        finding = Finding(Severity.ERROR, "length", message, LENGTH_OFFSET)
        return _irom_and_md5(len(data) - _MD5, at_end) + Stretch((), (finding,))
    if tail.check is None:
        return _cut(data, end)
    whole = _irom_and_md5(end, tail.check)
    if not tail.check.ok:
        message = "the MD5 behind irom is not that of the bytes before it"
        whole += Stretch((), (Finding(Severity.ERROR, "md5", message, end),))
    return whole + Stretch(*version1.trailing(data, end + _MD5))


def _irom_and_md5(end: int, check: Checksum) -> Stretch:
    md5 = Part(PartKind.MD5_TAIL, end, _MD5, checksum=check, note="covers all but the first four bytes")
    return Stretch((_irom(end), md5)) if end > IROM_OFFSET else Stretch((md5,))


def _cut(data: bytes, end: int) -> Stretch:
    """What is there of a file that ends before its MD5, or whose length word is damaged."""
    if IROM_OFFSET <= end < _MOST_FLASH:
        message = f"the file is cut: by its length word it has {end + _MD5:,} bytes, {len(data):,} are there"
        finding = Finding(Severity.ERROR, "cut", message, len(data))
    else:
        message = f"the length word 0x{end:08x} does not lie in the file"
        finding = Finding(Severity.ERROR, "length", message, LENGTH_OFFSET)
    if not IROM_OFFSET < end < len(data):
        return Stretch((_irom(len(data)),), (finding,))
    part = Part(PartKind.MD5_TAIL, end, len(data) - end, note="cut")
    return Stretch((_irom(end), part), (finding,))
