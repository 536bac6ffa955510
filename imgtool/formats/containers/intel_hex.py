"""Intel HEX: records of text with address, data and a checksum each, 16-bit or 32-bit addressed.

The contents are not judged here; they are laid out and read in their turn.

Source: Intel's "Hexadecimal Object File Format Specification", revision A, 1988; see
docs/formats/intel-hex.md.  bincopy reads and writes the single records.  Joining them is done here: bincopy's
own way takes time with the square of the number of gaps, accepts a file without an end and knows no line
numbers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from imgtool.formats.containers.blocks import Block, RecordScan, Runs, error, merged, reading_of, too_large
from imgtool.formats.containers.record_text import RECORD_SIZE, complaint, cut_if_last, load_bincopy, numbered
from imgtool.formats.reading import FileKind, Finding, Reading

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["build", "parse", "read"]

_FIRST: Final = re.compile(rb":[0-9A-Fa-f]{10}")
_DATA, _END, _SEGMENT, _START_SEGMENT, _LINEAR, _START_LINEAR = range(6)
_SIZES: Final = {_END: 0, _SEGMENT: 2, _START_SEGMENT: 4, _LINEAR: 2, _START_LINEAR: 4}
_SHIFTS: Final = {_SEGMENT: 4, _LINEAR: 16}


def parse(data: bytes) -> tuple[Block, ...]:
    """Read the data of a file: ascending, neighbours joined.

    Raises:
        FormatError: A record is damaged (the message names its line), two hold the same address, something
            follows the end record, or there is none.
    """
    return _scan(data).unwrap()


def build(blocks: Iterable[Block]) -> bytes:
    """The blocks as records of 16 bytes with extended linear addresses, and an end record.

    Raises:
        FormatError: Two blocks hold the same address, or one leaves the 32-bit address space.
    """
    bincopy = load_bincopy()
    lines: list[str] = []
    upper = None
    for block in merged(blocks):
        for start, chunk in _chunks(block):
            if start >> 16 != upper:
                upper = start >> 16
                lines.append(bincopy.pack_ihex(_LINEAR, 0, 2, upper.to_bytes(2, "big")))
            lines.append(bincopy.pack_ihex(_DATA, start & 0xFFFF, len(chunk), chunk))
    lines.append(bincopy.pack_ihex(_END, 0, 0, None))
    return "".join(line + "\n" for line in lines).encode("ascii")


def _chunks(block: Block) -> Iterable[tuple[int, bytes]]:
    """Pieces that end at multiples of 16, so that none crosses a 64 KiB boundary."""
    first = -block.address % RECORD_SIZE or RECORD_SIZE
    if block.data[:first]:
        yield block.address, block.data[:first]
    for offset in range(first, len(block.data), RECORD_SIZE):
        yield block.address + offset, block.data[offset : offset + RECORD_SIZE]


def read(data: bytes) -> Reading | None:
    """Read a file that begins with an Intel HEX record."""
    if _FIRST.match(data) is None:
        return None
    return reading_of(FileKind.INTEL_HEX, "Intel HEX", data, _scan(data))


def _scan(data: bytes) -> RecordScan:
    return too_large(data) or _records(data)


def _records(data: bytes) -> RecordScan:
    base, ended = 0, False
    runs = Runs()
    start: int | None = None
    for number, offset, record in numbered(data):
        unpacked = _unpack(record, number, offset)
        if isinstance(unpacked, Finding):
            return runs.scan(cut_if_last(unpacked, number, data), (), start)
        kind, address, payload = unpacked
        if ended:
            problem = error("trailing", f"line {number}: there is more behind the end record", offset)
            return runs.scan(problem, (), start)
        if kind == _DATA:
            runs.add(base + address, payload)
        elif kind in _SHIFTS:
            base = int.from_bytes(payload, "big") << _SHIFTS[kind]
        elif kind == _START_LINEAR:
            start = int.from_bytes(payload, "big")
        ended = kind == _END
    cut = error("cut", "there is no end record: the file is cut short", len(data))
    return runs.scan(None if ended else cut, (), start)


def _unpack(record: bytes, number: int, offset: int) -> tuple[int, int, bytes] | Finding:
    bincopy = load_bincopy()
    try:
        kind, address, size, payload = bincopy.unpack_ihex(record.decode("ascii"))
    except (bincopy.Error, ValueError) as problem:
        return complaint(problem, number, offset)
    if kind != _DATA and _SIZES.get(kind) != size:
        message = f"line {number}: no record of type {kind} with {size} bytes exists"
        return error("record", message, offset)
    return kind, address, bytes(payload)
