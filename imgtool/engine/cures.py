"""Cures and remarks in words: their sentences, and the commands that their actions are spelled as.

When which cure helps is decided in :mod:`imgtool.operations`; how one is drawn, in the terminal and the page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgtool.engine.spelling import spelled
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from imgtool.engine.spelling import Names
    from imgtool.operations.actions import Cure, Remark

__all__ = ["filled", "worded"]


def filled(cure: Cure, names: Names | None = None) -> Cure:
    """The cure with the commands of its actions.

    Args:
        cure: Which.
        names: What the files and the board of the user are called.
    """
    return cure._replace(commands=tuple(spelled(action, names) for action in cure.actions))


def worded(remark: Remark, names: Names | None = None) -> str:
    """The remark in sentences, with the commands of its actions behind them.

    Args:
        remark: Which.
        names: What the files and the board of the user are called.
    """
    if not remark.actions:
        return remark.text
    commands = Phrase.joined(", then ", (Name(spelled(action, names)) for action in remark.actions))
    return Phrase(remark.text.removesuffix("."), ": ", commands, ".")
