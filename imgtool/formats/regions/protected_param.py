"""Parameters that the SDK keeps in three sectors: two copies, and a third sector that says which one counts.

The SDK's own parameters are kept so, in the last three sectors, and those of any application that saves its
own with ``system_param_save_with_protect``, wherever it likes.  What is in the copies is not read here: the
SDK's own are system_param.py's, and what an application keeps nobody knows.  It may be keys and passwords.

Sources: ``user_interface.h`` and libmain of https://github.com/espressif/ESP8266_NONOS_SDK, and 47 copies in
23 real dumps, each with the checksum that is computed here; see docs/formats/protected-param.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from construct import Array, Bytes, Int8ul, Int32ul, Struct

from imgtool.chip import SECTOR
from imgtool.formats import contents, fill
from imgtool.formats.checksums import xor8
from imgtool.formats.reading import Checksum, Cover
from imgtool.formats.wire import parse_at

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["COPY_NAMES", "SIZE", "CopyCheck", "ProtectedParams", "Protection", "params_at", "starts_in"]

SIZE: Final = 3 * SECTOR
"""Bytes of the two copies and the flags."""

COPY_NAMES: Final = ("first", "second")
"""What the copies are called, in the order of their sectors."""

_FLAGS = Struct(
    "live" / Int8ul,
    "unused" / Bytes(3),
    "magic" / Int32ul,
    "writes" / Int32ul,
    "lengths" / Array(2, Int32ul),
    "sums" / Array(2, Int32ul),
    "end" / Int32ul,
)
_MAGIC: Final = 0x55AA_55AA.to_bytes(4, "little")
_MAGIC_AT: Final = slice(4, 8)
_ERASED_WORD: Final = 0xFFFF_FFFF
_ENDS: Final = (0xAA55_AA55, _ERASED_WORD)  # SDK 1.x writes none there, and later ones take that, too
_FLAGS_AT: Final = 2 * SECTOR
_SHORT_REST: Final = b"\xff" * (SECTOR - 1)
_LARGEST_SUM: Final = 0xFF
_SUMS_AT: Final = 20
_WORD: Final = 4
_NEVER_SAVED: Final = frozenset({contents.HintKind.CODE, contents.HintKind.GZIP})
_IMAGES: Final = (0xE9, 0xEA)


class CopyCheck(NamedTuple):
    """What the flags say of a copy: how many bytes are covered, and their checksum as it is stored."""

    length: int
    stored: int


@dataclass(frozen=True, slots=True)
class Protection:
    """What the flags say of the two copies.

    Attributes:
        live: The copy that counts, 0 or 1.
        writes: How often they were saved; None in the short form, which has nothing but ``live``.
        checks: The check of each copy; None for one that was never saved, or of which nothing can be read.
    """

    live: int
    writes: int | None = None
    checks: tuple[CopyCheck | None, CopyCheck | None] = (None, None)

    @classmethod
    def parse(cls, flags: bytes) -> Protection | None:
        """Read the flags; None for a sector that holds something else, or nothing.

        Any first byte but 0 stands for the second copy.
        """
        if flags[:1] in (b"\0", b"\1") and flags.endswith(_SHORT_REST):
            return cls(flags[0])
        if flags[_MAGIC_AT] != _MAGIC or len(flags) < _FLAGS.sizeof():
            return None
        read = parse_at(_FLAGS, flags, 0, "flags of protected parameters")
        live = int(read.live != 0)
        if read.end not in _ENDS:
            return cls(live, read.writes)
        one, two = (_check(*each) for each in zip(read.lengths, read.sums, strict=True))
        return cls(live, read.writes, (one, two))

    def checksum(self, data: bytes, start: int, number: int) -> Checksum | None:
        """The check of a copy, stored and computed; None where there is none.

        Args:
            data: The whole flash.
            start: Where the first copy begins.
            number: Which copy, 0 or 1.
        """
        check = self.checks[number]
        begin = start + number * SECTOR
        if check is None or fill.is_fill(data, begin, begin + SECTOR):
            return None
        end = begin + check.length
        cover = Cover(start + _FLAGS_AT + _SUMS_AT + number * _WORD, ((begin, end),))
        return Checksum("xor8", check.stored, xor8([data[begin:end]]), cover=cover)


def _check(length: int, stored: int) -> CopyCheck | None:
    return CopyCheck(length, stored) if 0 < length <= SECTOR and stored <= _LARGEST_SUM else None


@dataclass(frozen=True, slots=True)
class ProtectedParams:
    """Parameters that an application keeps.

    Attributes:
        protection: What their flags say.
        used: Bytes of each copy that are not erased.
        checksums: Of each copy, None where there is none.
    """

    protection: Protection
    used: tuple[int, int]
    checksums: tuple[Checksum | None, Checksum | None]

    @property
    def right(self) -> tuple[bool | None, bool | None]:
        """Of each copy whether its checksum is right; None where it has none."""
        one, two = (None if check is None else check.ok for check in self.checksums)
        return one, two


def starts_in(data: bytes, start: int, stop: int) -> Iterator[int]:
    """Where in a stretch of a flash an application keeps parameters: at sectors, none over another.

    Args:
        data: The whole flash.
        start: Where to look from.
        stop: Where the stretch ends, with the flags in it.
    """
    at = -(-start // SECTOR) * SECTOR
    while at + SIZE <= stop:
        found = _may_be_flags(data, at + _FLAGS_AT) and params_at(data, at) is not None
        if found:
            yield at
        at += SIZE if found else SECTOR


def _may_be_flags(data: bytes, at: int) -> bool:
    """A quick look, as every sector of a dump is asked."""
    return data.startswith(_MAGIC, at + _MAGIC_AT.start) or (data[at] <= 1 and data[at + 1] == fill.ERASED)


def params_at(data: bytes, start: int) -> ProtectedParams | None:
    """The parameters of an application in the three sectors from an address on; None if there are none.

    The full form is told by its magics and by lengths and sums that can be such.  The short form has next to
    nothing to be told by, so there a copy must be one: no code, no image, nothing packed.

    Args:
        data: The whole flash.
        start: Where the first copy would begin.
    """
    protection = Protection.parse(data[start + _FLAGS_AT : start + SIZE])
    if protection is None:
        return None
    copies = [data[start + number * SECTOR :][:SECTOR] for number in range(2)]
    used = (SECTOR - copies[0].count(fill.ERASED), SECTOR - copies[1].count(fill.ERASED))
    one, two = (protection.checksum(data, start, number) for number in range(2))
    if protection.writes is None:
        if not used[protection.live] or not all(_may_be_saved(copy) for copy in copies):
            return None
    elif one is None and two is None:
        return None
    return ProtectedParams(protection, used, (one, two))


def _may_be_saved(copy: bytes) -> bool:
    """Whether a sector may be a copy of parameters, or is erased."""
    if fill.is_fill(copy, 0, len(copy)):
        return True
    uniform = fill.is_fill(copy, 0, len(copy), copy[0])
    hint = contents.hint_of(copy, 0, len(copy))
    return not uniform and copy[0] not in _IMAGES and hint.kind not in _NEVER_SAVED
