"""How a line of a log looks that is known: the row of such a table, and the stages of a boot.

No lines; those are in :mod:`imgtool.formats.logs.boot_lines`, in :mod:`imgtool.formats.logs.crash_lines`, and
with those who judge logs.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

__all__ = ["BootStage", "LineForm"]


class BootStage(IntEnum):
    """Who prints a line: each of them starts the next one."""

    ROM = 0
    LOADER = 1
    SDK = 2
    APPLICATION = 3


class LineForm(NamedTuple):
    """How a line looks that is known.

    Attributes:
        name: Short stable name, which its message has as its kind.
        marks: Words that it cannot be without, ``|`` between them; their case does not matter.
        form: Expression for it.
        stage: Who prints it, see :class:`BootStage`.
        after_loading: Whether it means something only once an image was started.
        begins: Whether it is the first line of its stage, so that a second one is of another boot.
        crash: Whether a crash begins with it, so that registers and a stack may follow.
        whole: Whether nothing else may stand in its line, but for the prefixes of monitors.
        fallback: Whether it counts only in a line where no other form is found.
        example: A line as it is printed.
    """

    name: str
    marks: str
    form: str
    stage: BootStage = BootStage.ROM
    after_loading: bool = False
    begins: bool = False
    crash: bool = False
    whole: bool = False
    fallback: bool = False
    example: str = ""
