"""NodeMCU at its prompt on the virtual board: a line of Lua, and what it answers.

Not the boot that leads there (session.py).  Releases 0.9.5 to 3.0 were asked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from imgtool.virtual.board.console import Console

if TYPE_CHECKING:
    from imgtool.virtual.board.firmware_chip import FirmwareChip

__all__ = ["listed_files"]

_LONGEST_S: Final = 60  # a full file system of 4 MB is listed in less
_SILENT_S: Final = 10
_END: Final = b"\nthat is all"
# Names as hex, as they may hold anything; the mark at the end is not in the echo of the line.
_LIST: Final = (
    b"for n,s in pairs(file.list()) do print((n:gsub('.',function(c) return "
    b"('%02x'):format(c:byte()) end)),s) end print('that'..' is all')"
)
_ROW: Final = re.compile(rb"^(?:> )?((?:[0-9a-f]{2})+)\t(\d+)\r?$", re.MULTILINE)


def listed_files(chip: FirmwareChip) -> dict[bytes, int] | None:
    """What ``file.list()`` has: names and sizes; None where it does not answer, as without that module.

    Args:
        chip: One whose firmware waits at its prompt.
    """
    answer = _answer(chip, _LIST)
    if answer is None:
        return None
    return {bytes.fromhex(name.decode()): int(size) for name, size in _ROW.findall(answer)}


def _answer(chip: FirmwareChip, line: bytes) -> bytes | None:
    """What comes back for a line, up to the mark; None where that does not come."""
    console = Console(chip)
    console.type(line + b"\r\n")
    heard = -1
    for _ in range(_LONGEST_S // _SILENT_S):
        if console.run(_SILENT_S, lambda said: _END in said):
            return bytes(console.said[: console.said.index(_END)])
        if len(console.said) == heard:
            return None
        heard = len(console.said)
    return None
