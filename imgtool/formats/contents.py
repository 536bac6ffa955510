"""What bytes look like that no format knows: text, code, compressed data, sparse data, well-known magics.

A hint for people, by samples; no format, and nothing of the contents is repeated.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from imgtool.chip import ROM_SHA256, ROM_SIZE
from imgtool.formats import fill, lx106

__all__ = ["Hint", "HintKind", "hint_of", "is_boot_rom"]


class HintKind(StrEnum):
    """What sort of thing bytes look like."""

    TEXT = "text"
    CODE = "code"
    DENSE = "dense"
    """Compressed or encrypted."""
    SPARSE = "sparse"
    GZIP = "gzip"
    MAGIC = "magic"
    """They begin with another well-known magic."""
    INIT_DATA = "init-data"
    """Init data where no firmware looks for it."""
    DATA = "data"


_GZIP: Final = b"\x1f\x8b\x08"
_MAGICS: Final = (
    (_GZIP, "gzip data"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF-", "a PDF document"),
    (b"RIFF", "RIFF data, such as WAV audio"),
    (b"ID3", "MP3 audio"),
    (b"OggS", "Ogg audio"),
    (b"fLaC", "FLAC audio"),
    (b"-----BEGIN ", "PEM text, such as a key or a certificate"),
    (b"\x7fELF", "an ELF file"),
    (b"\x1bLua", "Lua bytecode"),
)
_PROGRAM: Final = b"MZ"
_PROGRAM_PLACE: Final = slice(0x3C, 0x40)  # where the header of a Windows program is told
_PROGRAM_HEADER: Final = b"PE\0\0"
_FAT_MARK: Final = b"\x55\xaa"  # at the end of the first 512 bytes of a FAT volume, which begins with a jump
_JUMPS: Final = (b"\xeb", b"\xe9")
_SAMPLES: Final = 4
_SAMPLE: Final = 512
_TEXT: Final = bytes(range(0x20, 0x7F)) + b"\t\r\n"
# Base64 and hexadecimal have at most 6 bits a byte, code 6 to 7; of 2 KiB of noise 7.89 to 7.93 are seen.
_DENSE: Final = 7.6
_TEXT_SHARE: Final = 0.95
_LEAST_TEXT: Final = 32
_SPARSE_SHARE: Final = 0.9


@dataclass(frozen=True, slots=True)
class Hint:
    """What some bytes look like.

    Attributes:
        kind: Which sort of thing.
        words: The same for people.
        entropy: Bits a byte, of a sample.
    """

    kind: HintKind
    words: str
    entropy: float


def is_boot_rom(data: bytes, sha256: str = ROM_SHA256) -> bool:
    """Whether a file is a dump of the chip's boot ROM, which has no magic: its digest tells.

    Args:
        data: The file.
        sha256: Digest of the boot ROM, lower-case hex.
    """
    return len(data) == ROM_SIZE and hashlib.sha256(data).hexdigest() == sha256


def hint_of(data: bytes, start: int, stop: int) -> Hint:
    """What the bytes in ``[start, stop)`` look like, which are not fill as a whole.

    Args:
        data: The file.
        start: First offset.
        stop: Offset behind the last one.
    """
    sample = _sample(data, start, stop)
    entropy = _entropy(sample)
    head = data[start : min(start + _SAMPLE, stop)]
    magic = _magic(head)
    if magic is not None:
        return Hint(HintKind.GZIP if head.startswith(_GZIP) else HintKind.MAGIC, magic, entropy)
    written = len(sample) - sample.count(fill.ERASED)
    # Text may end in erased flash.
    other = len(sample.translate(None, _TEXT + bytes([fill.ERASED])))
    if written >= _LEAST_TEXT and other <= (1 - _TEXT_SHARE) * written:
        return Hint(HintKind.TEXT, "text", entropy)
    if written <= (1 - _SPARSE_SHARE) * len(sample) or sample.count(0) >= _SPARSE_SHARE * len(sample):
        return Hint(HintKind.SPARSE, "sparse data", entropy)
    if lx106.looks_like_code(data[start : min(start + lx106.SAMPLE, stop)]):
        return Hint(HintKind.CODE, "code", entropy)
    if entropy >= _DENSE:
        return Hint(HintKind.DENSE, f"compressed or encrypted ({entropy:.1f} bits a byte)", entropy)
    return Hint(HintKind.DATA, f"data ({entropy:.1f} bits a byte)", entropy)


def _magic(head: bytes) -> str | None:
    name = next((name for magic, name in _MAGICS if head.startswith(magic)), None)
    if name is None and head[510:] == _FAT_MARK and head[:1] in _JUMPS:
        return "a FAT volume"
    if head.startswith(_PROGRAM):
        place = int.from_bytes(head[_PROGRAM_PLACE], "little")
        return "a Windows program" if head.startswith(_PROGRAM_HEADER, place) else None
    return name


def _sample(data: bytes, start: int, stop: int) -> bytes:
    """Stretches from all over ``[start, stop)``, all of it where it is short."""
    if stop - start <= _SAMPLES * _SAMPLE:
        return data[start:stop]
    step = (stop - start - _SAMPLE) // (_SAMPLES - 1)
    places = (start + number * step for number in range(_SAMPLES))
    return b"".join(data[place : place + _SAMPLE] for place in places)


def _entropy(sample: bytes) -> float:
    size = len(sample)
    # Many values are as frequent as each other: one logarithm for all of those.
    frequencies = Counter(Counter(sample).values())
    used = sum(number * count * math.log2(count) for count, number in frequencies.items())
    return math.log2(size) - used / size if size else 0.0
