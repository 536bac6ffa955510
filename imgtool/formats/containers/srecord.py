"""Motorola S-records: records of text with address, data and a checksum each.

The contents are not judged here; they are laid out and read in their turn.

Source: the srec(5) page of SRecord, https://srecord.sourceforge.net/man/man5/srec_motorola.5.html; see
docs/formats/s-record.md.  bincopy reads and writes the single records, see intel_hex.py.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from imgtool.formats.containers.blocks import Block, RecordScan, Runs, error, merged, reading_of, too_large
from imgtool.formats.containers.record_text import RECORD_SIZE, complaint, cut_if_last, load_bincopy, numbered
from imgtool.formats.reading import Fact, FileKind, Finding, Reading

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["build", "parse", "read"]

_FIRST: Final = re.compile(rb"S[0-9][0-9A-Fa-f]{6}")
# Bytes of the address by record type; type 4 is reserved.
_WIDTHS: Final = {"0": 2, "1": 2, "2": 3, "3": 4, "5": 2, "6": 3, "7": 4, "8": 3, "9": 2}
_DATA: Final = "123"
_COUNT: Final = "56"
_END: Final = "789"
_SHORT_COUNT: Final = 0xFFFF


def parse(data: bytes) -> tuple[Block, ...]:
    """Read the data of a file: ascending, neighbours joined.

    Raises:
        FormatError: A record is damaged (the message names its line), two hold the same address, something
            follows the end record, the count is wrong, or the file has neither a count nor an end record.
    """
    return _scan(data).unwrap()


def build(blocks: Iterable[Block], entry: int = 0) -> bytes:
    """The blocks as S3 records of 16 bytes, a count record and an S7 end record with the entry point.

    Raises:
        FormatError: Two blocks hold the same address, or one leaves the 32-bit address space.
    """
    bincopy = load_bincopy()
    lines: list[str] = []
    for block in merged(blocks):
        for offset in range(0, len(block.data), RECORD_SIZE):
            chunk = block.data[offset : offset + RECORD_SIZE]
            lines.append(bincopy.pack_srec("3", block.address + offset, len(chunk), chunk))
    count = len(lines)
    lines.append(bincopy.pack_srec("5" if count <= _SHORT_COUNT else "6", count, 0, None))
    lines.append(bincopy.pack_srec("7", entry, 0, None))
    return "".join(line + "\n" for line in lines).encode("ascii")


def read(data: bytes) -> Reading | None:
    """Read a file that begins with an S-record."""
    if _FIRST.match(data) is None:
        return None
    return reading_of(FileKind.S_RECORD, "S-record", data, _scan(data))


def _scan(data: bytes) -> RecordScan:
    return too_large(data) or _records(data)


def _records(data: bytes) -> RecordScan:
    count, ended, counted = 0, False, False
    runs = Runs()
    facts: dict[str, Fact] = {}
    problem: Finding | None = None
    for number, offset, record in numbered(data):
        unpacked = _unpack(record, number, offset)
        if isinstance(unpacked, Finding):
            return runs.scan(cut_if_last(unpacked, data), (), facts)
        kind, address, payload = unpacked
        if ended:
            problem = error("trailing", f"line {number}: there is more behind the end record", offset)
        elif kind in _DATA:
            count += 1
            runs.add(address, payload)
        elif kind in _COUNT:
            counted = True
            if address != count:
                message = (
                    f"line {number}: {address:,} data records should stand before it, there are {count:,}"
                )
                problem = error("count", message, offset)
        elif kind in _END:
            ended = True
            facts["start"] = address
        if problem is not None:
            return runs.scan(problem, (), facts)
    cut = error("cut", "there is no end record: the file is cut short", len(data))
    return runs.scan(None if ended or counted else cut, (), facts)


def _unpack(record: bytes, number: int, offset: int) -> tuple[str, int, bytes] | Finding:
    bincopy = load_bincopy()
    try:
        kind, address, _, payload = bincopy.unpack_srec(record.decode("ascii"))
    except (bincopy.Error, ValueError) as problem:
        return complaint(problem, number, offset)
    # The count byte covers address and checksum; bincopy lets it be too small for them.
    if kind not in _WIDTHS or int(record[2:4], 16) <= _WIDTHS[kind]:
        return error("record", f"line {number}: no record of that kind exists", offset)
    return kind, address, bytes(payload)
