"""Boot logs for a user: what a log means, and a chip that is watched, with cures that have their commands.

Not the judgement, which is :mod:`imgtool.operations.explain.log`'s and :mod:`imgtool.operations.watching`'s.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from imgtool.engine.cures import filled, worded
from imgtool.operations.explain import log as explaining

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.formats.elf.symbols import ElfSymbols
    from imgtool.operations.explain.log import Explanation

__all__ = ["explain"]


def explain(log: bytes | str, symbols: Sequence[ElfSymbols] = ()) -> Explanation:
    """Say what a boot log comes to, why, and what to do.

    Takes anything: whole logs, pieces of them, several boots, with the prefixes of a monitor, with noise.  It
    judges the last boot that says enough; a crash counts until another firmware is on the chip.

    Args:
        log: The log as it was recorded, or as text.
        symbols: The linked programs that are on the chip, which name the functions of a crash.
    """
    found = explaining.explain(log, symbols)
    return replace(
        found,
        cures=tuple(filled(cure) for cure in found.cures),
        notes=tuple(worded(remark) for remark in found.remarks),
    )
