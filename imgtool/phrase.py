"""Texts that know which of their stretches are names: paths, ports, addresses, whatever a user may copy.

A name is told by its type, never by what it looks like: it may hold spaces, where whoever shows a text would
break it.  Both are plain strings to everybody else.  Nothing here shows anything (imgtool.cli.show.text).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

__all__ = ["Name", "Phrase", "has_name", "pieces_of"]


class Name(str):
    """A name that is never broken or cut where it is shown.

    Args:
        name: A path, the name of a port, a word as the user gave it.
    """

    __slots__ = ()

    def __new__(cls, name: str | os.PathLike[str]) -> Self:
        """Take it as it is."""
        return super().__new__(cls, os.fspath(name))


class Phrase(str):
    """A text put together from pieces, of which the names stay known.

    An f-string would forget them.

    Args:
        pieces: Plain text, names, paths (which are names), and other phrases.

    Attributes:
        pieces: The plain stretches and the names, in order.
    """

    __slots__ = ("pieces",)

    pieces: tuple[str, ...]

    def __new__(cls, *pieces: str | os.PathLike[str]) -> Self:
        """Join the pieces."""
        flat = tuple(each for piece in pieces for each in pieces_of(piece))
        phrase = super().__new__(cls, "".join(flat))
        phrase.pieces = flat
        return phrase

    @classmethod
    def joined(cls, separator: str, texts: Iterable[str | os.PathLike[str]]) -> Self:
        """Several texts with a separator between them, as ``str.join`` has it."""
        pieces = [piece for text in texts for piece in (separator, text)]
        return cls(*pieces[1:])

    @classmethod
    def quoting(cls, text: str, words: Iterable[str]) -> Self:
        """A text of somebody else's that quotes given words: those with a space in them are names."""
        pieces = [text]
        for word in (word for word in words if " " in word):
            for quoted in (repr(word), word):
                pieces = [each for piece in pieces for each in _parted(piece, quoted)]
        return cls(*pieces)


def _parted(piece: str, word: str) -> list[str]:
    """A plain piece cut at a word, which becomes a name."""
    if isinstance(piece, Name):
        return [piece]
    first, *others = piece.split(word)
    return [first, *(each for other in others for each in (Name(word), other))]


def pieces_of(text: str | os.PathLike[str]) -> tuple[str, ...]:
    """The plain stretches and the names of a text."""
    if isinstance(text, Phrase):
        return text.pieces
    return (text if isinstance(text, str) else Name(text),)


def has_name(text: str) -> bool:
    """Whether a text is a name, or has one in it."""
    return any(isinstance(piece, Name) for piece in pieces_of(text))
