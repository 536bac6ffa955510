"""Makes what firmware keeps in a flash, for tests: protected parameters, sysparam, NVS, records and more.

A second opinion: nothing of imgtool's own reading of these is used.
"""

from __future__ import annotations

import functools
import operator
import struct
import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["checked", "json_record", "mongoose_config", "nvs_page", "protected", "short", "sysparam"]

SECTOR: Final = 0x1000
ERASED: Final = 0xFFFFFFFF


def checked(block: bytes) -> int:
    """The sum over a copy, folded byte by byte."""
    return functools.reduce(operator.xor, block, 0xEF)


def protected(  # noqa: PLR0913 - a field each
    first: bytes,
    second: bytes | None = None,
    *,
    live: int = 0,
    writes: int = 7,
    length: int = 0x20,
    sums: tuple[int, int] | None = None,
    end: int = 0xAA55AA55,
) -> bytes:
    """Two copies of parameters and their flags, as SDK 2 and 3 write them; None for one never saved."""
    copies = [block if block is None else block.ljust(SECTOR, b"\xff") for block in (first, second)]
    lengths = [ERASED if block is None else length for block in copies]
    right = [ERASED if block is None else checked(block[:length]) for block in copies]
    flags = struct.pack("<B3xIIIIIII", live, 0x55AA55AA, writes, *lengths, *(sums or right), end)
    flags = flags[:1] + b"\xff\xff\xff" + flags[4:]
    return b"".join(block or b"\xff" * SECTOR for block in copies) + flags.ljust(SECTOR, b"\xff")


def short(first: bytes, second: bytes = b"", live: int = 0) -> bytes:
    """The same with only the number of the copy in the flags, as older SDKs have it for applications."""
    return b"".join(block.ljust(SECTOR, b"\xff") for block in (first, second, bytes([live])))


def sysparam(
    values: Mapping[str, bytes],
    *,
    sectors: int = 2,
    active: bool = True,
    second: bool = False,
    step: int = 1,
    more: bytes = b"",
) -> bytes:
    """A region of esp-open-rtos's settings; ``step`` is 4 for early releases, ``more`` comes last."""
    body = b"EORp" + struct.pack("<HH", sectors | active << 14 | second << 15, 0)
    for number, (name, value) in enumerate(values.items(), 1):
        for flags, payload in ((0x8000, name.encode()), (0xA000, value)):
            body += struct.pack("<HH", flags | number, len(payload)) + payload
            body += b"\xff" * (-len(payload) % step)
    return (body + more).ljust(sectors * SECTOR, b"\xff")


def json_record(text: bytes) -> bytes:
    """A record as Tuya has it: length, CRC, text."""
    return struct.pack("<II", len(text), zlib.crc32(text)) + text


def nvs_page(
    entries: Sequence[tuple[int, str, int | bytes]], *, state: int = 0xFFFFFFFE, number: int = 0
) -> bytes:
    """A page of NVS: entries with namespace, name, and a number or text; namespace 0 names the others."""
    head = struct.pack("<IB19s", number, 0xFE, b"\xff" * 19)
    bits, body, count = -1, b"", 0
    for namespace, name, value in entries:
        text = b"" if isinstance(value, int) else value.ljust(-(-len(value) // 32) * 32, b"\xff")
        kind = 0x01 if isinstance(value, int) else 0x21
        held = (
            struct.pack("<HHI", len(value), 0xFFFF, 0)
            if isinstance(value, bytes)
            else value.to_bytes(8, "little")
        )
        span = 1 + len(text) // 32
        begin, rest = bytes((namespace, kind, span, 0xFF)), name.encode().ljust(16, b"\0") + held
        body += begin + struct.pack("<I", zlib.crc32(begin + rest, ERASED)) + rest + text
        for used in range(count, count + span):
            bits &= ~(1 << 2 * used)
        count += span
    used_bits = (bits & (1 << 256) - 1).to_bytes(32, "little")
    whole = struct.pack("<I", state) + head + struct.pack("<I", zlib.crc32(head, ERASED)) + used_bits + body
    return whole.ljust(SECTOR, b"\xff")


def mongoose_config(  # noqa: PLR0913 - a field each
    roms: Sequence[int],
    files: Sequence[tuple[int, int]] = (),
    *,
    current: int = 0,
    previous: int = 0,
    first_boot: int = 0,
    attempts: int = 0,
    updated: int = 0,
    checksum: bool = False,
) -> bytes:
    """The configuration of Mongoose OS's rBoot."""
    head = bytes([0xE1, 1, 0, current, 0, len(roms), previous, first_boot, attempts, updated, 0, 0])
    four = [
        [*each, *[0] * (4 - len(each))]
        for each in (roms, [0xC0000] * len(roms), [at for at, _ in files], [size for _, size in files])
    ]
    body = head + struct.pack("<17I", *(word for each in four for word in each), 0)
    return body + (bytes([checked(body), 0, 0, 0]) if checksum else b"")
