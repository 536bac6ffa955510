"""The command line as it was given, with files at other places: the cure of a wrong one.

Not which place is right, which comes with the error or the plan (:class:`imgtool.errors.Move`).
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from imgtool.cli.input.arguments import NAMED_PLACES
from imgtool.cli.input.options import folder_images
from imgtool.engine.numbers import number_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import typer

    from imgtool.errors import Move

__all__ = ["corrected", "corrected_in", "with_value"]


class _Parameter(Protocol):
    """What is asked of a parameter of a command."""

    @property
    def param_type_name(self) -> str: ...
    @property
    def opts(self) -> list[str]: ...


def corrected_in(context: typer.Context, moves: Iterable[Move]) -> str | None:
    """The same for the command that runs.

    Args:
        context: Its context, of which the object is the command line.
        moves: Which file goes where.
    """
    return corrected(context.obj, moves, with_value(context.command.params))


def with_value(parameters: Iterable[_Parameter]) -> set[str]:
    """The options of a command that take a value, as they are spelled."""
    options = (each for each in parameters if each.param_type_name == "option")
    return {name for each in options if not getattr(each, "is_flag", False) for name in each.opts}


def corrected(words: Sequence[str], moves: Iterable[Move], valued: Collection[str]) -> str | None:
    """The command with each file at the place that is right for it.

    Args:
        words: The command line as it was given, from the command on.
        moves: Which file goes where.
        valued: The options that take a value, as they are spelled.

    Returns:
        A line for a shell; None where a file is not found in the command.
    """
    places = {move.file: _spelled(move.place) for move in moves}
    if not places:
        return None
    line = ["imgtool", words[0]]
    images = only_images = False
    left = list(words[1:])
    while left:
        word = left.pop(0)
        if word == "--" and not only_images:
            only_images = True
            line.append(word)
        elif word.startswith("-") and len(word) > 1 and not only_images:
            line.append(_option(word, places))
            if word in valued and left:
                line.append(_value(left.pop(0), places))
        else:
            images = True
            line += _image(word, left, places)
    if not images:  # the files that lie here, or in bin
        found = next((path for path in (Path(), Path("bin")) if folder_images(path)), None)
        line += [] if found is None else _folder(found, places)
    return None if places else shlex.join(line)


def _spelled(place: int | str) -> str:
    return f"0x{place:x}" if isinstance(place, int) else place


def _moved(name: str, places: dict[str, str]) -> str | None:
    """The right place of a file, which is found by that; None for a file that stays."""
    return places.pop(str(Path(name)), None)


def _image(word: str, left: list[str], places: dict[str, str]) -> list[str]:
    """``FILE``, ``ADDR FILE``, ``ADDR:FILE`` or a folder, with the right place; takes from ``left``."""
    if _is_place(word) and left:
        name = left.pop(0)
        return [_moved(name, places) or word, name]
    head, colon, tail = word.partition(":")
    name = tail if colon and tail and _is_place(head) else word
    place = _moved(name, places)
    if place is not None:
        return [place, name]
    return _folder(Path(word), places) if Path(word).is_dir() else [word]


def _is_place(word: str) -> bool:
    return word in NAMED_PLACES or number_in(word) is not None


def _folder(folder: Path, places: dict[str, str]) -> list[str]:
    """A folder of images; its files one by one where one of them goes elsewhere."""
    paths = [image.path for image in folder_images(folder)]
    if not any(str(path) in places for path in paths):
        return [str(folder)]
    moved = [(_moved(str(path), places), str(path)) for path in paths]
    return [word for place, path in moved for word in (place, path) if word is not None]


def _option(word: str, places: dict[str, str]) -> str:
    """``--option``, or ``--option=FILE@ADDR``."""
    name, equals, value = word.partition("=")
    return f"{name}={_value(value, places)}" if equals and word.startswith("--") else word


def _value(word: str, places: dict[str, str]) -> str:
    """The value of an option, which may be ``FILE@ADDR``."""
    name, at, _ = word.rpartition("@")
    place = _moved(name, places) if at and name else None
    if place is None:
        return word
    return name if place in NAMED_PLACES else f"{name}@{place}"
