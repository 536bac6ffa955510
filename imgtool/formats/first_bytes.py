"""Files whose first bytes are damaged: told by what stands behind them, and named as what they are.

One row a magic.  No format, and not the damage of a transfer in text mode (images/mangled.py).  With the
magic set right everything else must hold: a check, or a structure that nothing else has.  See
docs/formats/damaged.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import memory_at, runnable
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import FileKind, Finding, Reading, Severity

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["restored", "right_start"]

_LEAST: Final = 20  # bytes; shorter files hold nothing that could tell
_MOST_SEGMENTS: Final = 16
_OTA_HEADER: Final = 16
_INNER: Final = 0xE9
_LINES: Final = 600  # no first line of records is as long
_UF2_SECOND: Final = bytes.fromhex("57515d9e")
_ELF_IDENT: Final = bytes.fromhex("010101")  # 32 bits, little-endian, version 1
_XTENSA: Final = bytes.fromhex("5e0001000000")  # machine and version


class _Magic(NamedTuple):
    """How files of some format begin.

    Attributes:
        value: The bytes.
        likely: Whether what stands behind the first bytes looks like that format.
        walks: Whether that is proof enough; else all checks must hold once the first bytes are right.
    """

    value: bytes
    likely: Callable[[bytes], bool]
    walks: bool = False

    def damaged(self, data: bytes) -> bool:
        """Whether only the magic of such a file seems to be wrong."""
        return len(data) >= _LEAST and not data.startswith(self.value) and self.likely(data)

    def right(self, data: bytes) -> bytes:
        """The file with the magic set right."""
        return self.value + data[len(self.value) :]


def _word(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 4], "little")


def _version_1(data: bytes) -> bool:
    # Segment count and entry point tell: a look at them spares most files the rest.
    return data[1] <= _MOST_SEGMENTS and memory_at(_word(data, 4)) is not None


def _version_2(data: bytes) -> bool:
    """Whether an outer header leads to an image that can start."""
    inner = _OTA_HEADER + _word(data, 12)
    if not runnable(_word(data, 4)) or inner + _LEAST > len(data) or data[inner] != _INNER:
        return False
    return data[inner + 1] <= _MOST_SEGMENTS and runnable(_word(data, inner + 4))


def _elf(data: bytes) -> bool:
    return data[4:7] == _ELF_IDENT and data.startswith(_XTENSA, 18)


def _uf2(data: bytes) -> bool:
    return data.startswith(_UF2_SECOND, 4)


def _records(mark: bytes) -> Callable[[bytes], bool]:
    return lambda data: b"\n" + mark in data[:_LINES]


def _but_for(magic: bytes, wrong: int) -> Callable[[bytes], bool]:
    """Whether at most so many bytes of a magic are wrong."""
    return lambda data: sum(a != b for a, b in zip(data, magic, strict=False)) <= wrong


_GZIP: Final = b"\x1f\x8b\x08"
_TUYA: Final = b"\x55\xaa\x55\xaa"
_TABLE: Final = b"\xaa\x50"

_MAGICS: Final = (
    _Magic(b"\xea\x04", _version_2, walks=True),
    _Magic(b"\xe9", _version_1),
    _Magic(b"\x7fELF", _elf, walks=True),
    _Magic(b"UF2\n", _uf2, walks=True),
    _Magic(_GZIP, _but_for(_GZIP, 1)),
    _Magic(_TUYA, _but_for(_TUYA, 2)),
    _Magic(_TABLE, _but_for(_TABLE, 1)),
    _Magic(b":", _records(b":")),
    _Magic(b"S", _records(b"S")),
)
_BYTES: Final = ("first", "second", "third", "fourth")


def right_start(data: bytes) -> bytes:
    """How the image begins that a file is but for its magic; empty where it is none that can be repaired."""
    return next((magic.value for magic in _MAGICS[:2] if magic.damaged(data)), b"")


def restored(data: bytes, read: Callable[[bytes], Reading]) -> Reading | None:
    """The file that the bytes are but for their magic, with that as an error; None if they are none.

    Args:
        data: A file that no format knows as it stands, or knows as damaged, or knows by elimination alone.
        read: Reads a file by the first format that knows it.
    """
    for magic in _MAGICS:
        if not magic.damaged(data):
            continue
        reading = read(magic.right(data))
        if reading.kind is not FileKind.UNKNOWN and (magic.walks or _proved(reading)):
            return reading._replace(findings=(_finding(data, magic.value), *reading.findings))
    return None


def _proved(reading: Reading) -> bool:
    """Whether there is a check, and everything holds."""
    checked = KINDS[reading.kind].own_checks or any(part.checksum is not None for part in reading.parts)
    return checked and all(finding.severity is not Severity.ERROR for finding in reading.findings)


def _finding(data: bytes, magic: bytes) -> Finding:
    wrong = [place for place, byte in enumerate(magic) if data[place] != byte]
    if len(wrong) == 1:
        place = wrong[0]
        message = (
            f"the {_BYTES[place]} byte is 0x{data[place]:02x} and should be 0x{magic[place]:02x}: "
            "the file is damaged"
        )
    else:
        found = data[: len(magic)].hex(" ")
        message = f"the file begins with {found} and should begin with {magic.hex(' ')}: it is damaged"
    return Finding(Severity.ERROR, "magic", message, wrong[0])
