"""Lua that was compiled, as NodeMCU writes it into ``.lc`` files: for which Lua, and for which numbers.

The header alone; the functions behind it are not read, and it is no kind of file of its own.

Source: lundump.c and lundump.h of Lua 5.1 and 5.3, and of
https://github.com/nodemcu/nodemcu-firmware/tree/release/app; see docs/formats/lfs.md.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["LuaBytecode", "bytecode_of"]

_SIGNATURE: Final = b"\x1bLua"
_VERSION_AT: Final = 4
_WITH_FLAG: Final = 0x51  # the header of 5.1 ends with a flag for whole numbers
_FLAG_AT: Final = 11


class LuaBytecode(NamedTuple):
    """What the header of compiled Lua says.

    Attributes:
        lua: Version, such as ``5.1``.
        number_type: ``integer`` or ``float``; empty where the header does not tell.
    """

    lua: str
    number_type: str = ""


def bytecode_of(data: bytes) -> LuaBytecode | None:
    """What a file was compiled for; None if it is no compiled Lua."""
    if not data.startswith(_SIGNATURE) or len(data) <= _FLAG_AT:
        return None
    version = data[_VERSION_AT]
    lua = f"{version >> 4}.{version & 0xF}"
    if version != _WITH_FLAG:
        return LuaBytecode(lua)
    return LuaBytecode(lua, {0: "float", 1: "integer"}.get(data[_FLAG_AT], ""))
