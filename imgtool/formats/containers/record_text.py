"""What Intel HEX and S-record share as text: lines with a number and an offset, and bincopy's complaints.

Not a format, and the only importer of bincopy.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any, Final

from imgtool.formats.containers.blocks import error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.formats.reading import Finding

__all__ = ["RECORD_SIZE", "complaint", "cut_if_last", "load_bincopy", "numbered"]

RECORD_SIZE: Final = 16
"""Bytes of data in a record, as esptool and most programmers write them."""

_CHECK: Final = re.compile(r"expected crc '(\w+)'.*but got '(\w+)'", re.DOTALL)


def load_bincopy() -> Any:  # noqa: ANN401 - it is not typed
    """The module, which takes as long to import as all the rest of a start."""
    import bincopy  # type: ignore[import-untyped]  # noqa: PLC0415 - see above

    return bincopy


def numbered(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The lines that are not blank: number from 1, offset in the file, text without white space around."""
    offset = 0
    for number, line in enumerate(io.BytesIO(data), 1):
        record = line.strip()
        if record:
            yield number, offset, record
        offset += len(line)


def complaint(problem: Exception, number: int, offset: int) -> Finding:
    """What bincopy has against the record in line ``number``, in our words."""
    text = str(problem)
    check = _CHECK.search(text)
    if check is not None:
        message = f"line {number}: the checksum is 0x{check[2]}, but the record gives 0x{check[1]}"
        return error("checksum", message, offset)
    if text.endswith(("too short", "has wrong size")):
        return error("record", f"line {number}: the record is shorter or longer than it says", offset)
    return error("record", f"line {number}: no record of that kind exists", offset)


def cut_if_last(problem: Finding, data: bytes) -> Finding:
    """The same problem, or that the file is cut if it ends inside the record that the problem is about."""
    start = problem.offset or 0
    if problem.code != "record" or b"\n" in data[start:]:
        return problem
    return error("cut", f"the file is cut short: it ends inside {problem.message.partition(':')[0]}", start)
