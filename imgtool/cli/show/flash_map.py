"""A file drawn to scale as rows of cells: which parts lie where, and how much of it they take.

Characters and styles only, as values; render.py prints them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.formats.reading import PartKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.formats.reading import Part

__all__ = ["FlashMap", "draw_map", "style_of"]

_CELLS: Final = 64  # a row; with its address it fits 80 columns
_MOST_ROWS: Final = 8
_SMALLEST_CELL: Final = 16


class _Look(NamedTuple):
    cell: str
    plain: str  # where the terminal has no Unicode
    style: str
    rank: int  # of the parts in one cell the highest is shown, so that small ones do not vanish


_EMPTY = _Look("·", ".", "dim", 0)
_FILES = _Look("▒", "%", "magenta", 3)
_CHECK = _Look("◆", "*", "yellow", 6)
_LOOKS: Final = {
    PartKind.IMAGE_V1: _Look("█", "#", "cyan", 5),
    PartKind.IMAGE_V2: _Look("█", "#", "cyan", 5),
    PartKind.BOOTLOADER: _Look("■", "B", "blue", 7),
    PartKind.APP: _Look("▓", "A", "green", 4),
    PartKind.IROM: _Look("▓", "+", "green", 4),
    PartKind.GAP: _EMPTY,
    PartKind.BLANK: _EMPTY,
    PartKind.INIT_DATA: _Look("◆", "I", "bold yellow", 9),
    PartKind.RF_CAL: _Look("○", "R", "yellow", 8),
    PartKind.SYSTEM_PARAM: _Look("●", "S", "yellow", 8),
    PartKind.PARTITION_TABLE: _Look("▣", "T", "bold cyan", 9),
    PartKind.RBOOT_CONFIG: _Look("▣", "T", "bold cyan", 9),
    PartKind.SPIFFS: _FILES,
    PartKind.LITTLEFS: _FILES,
    PartKind.LFS: _Look("▤", "L", "blue", 4),
    PartKind.CRC_TAIL: _CHECK,
    PartKind.MD5_TAIL: _CHECK,
    PartKind.SHA256_TAIL: _CHECK,
    PartKind.LENGTH_CRC_WORDS: _CHECK,
    PartKind.USER_DATA: _Look("◇", "U", "magenta", 7),
    PartKind.UNKNOWN: _Look("?", "?", "red", 3),
}


class FlashMap(NamedTuple):
    """A drawn map.

    Attributes:
        rows: First offset of each row, and its cells as (characters, style) runs.
        legend: Character, style and name of every sort of part in it.
        cell: Bytes that one cell stands for.
    """

    rows: tuple[tuple[int, tuple[tuple[str, str], ...]], ...]
    legend: tuple[tuple[str, str, str], ...]
    cell: int


def style_of(kind: str) -> str:
    """The style that a kind of part is shown in, by its name."""
    return _LOOKS[PartKind(kind)].style


def draw_map(parts: Sequence[Part], size: int, *, unicode: bool = True) -> FlashMap:
    """Draw the parts of a file of ``size`` bytes."""
    cell = _SMALLEST_CELL
    while -(-size // cell) > _CELLS * _MOST_ROWS:
        cell *= 2
    count = -(-size // cell)
    cells = [_EMPTY] * count
    ranks = [-1] * count
    for part in parts:
        look = _LOOKS[part.kind]
        for index in range(part.offset // cell, -(-part.end // cell)):
            if look.rank > ranks[index]:
                cells[index], ranks[index] = look, look.rank
    rows = [
        (start * cell, _runs(cells[start : start + _CELLS], unicode=unicode))
        for start in range(0, count, _CELLS)
    ]
    legend: dict[tuple[str, str], list[str]] = {}
    for part in parts:
        look = _LOOKS[part.kind]
        names = legend.setdefault((look.cell if unicode else look.plain, look.style), [])
        if str(part.kind) not in names:
            names.append(str(part.kind))
    named = tuple((mark, style, ", ".join(names)) for (mark, style), names in legend.items())
    return FlashMap(tuple(rows), named, cell)


def _runs(cells: Sequence[_Look], *, unicode: bool) -> tuple[tuple[str, str], ...]:
    runs: list[tuple[str, str]] = []
    for look in cells:
        mark = look.cell if unicode else look.plain
        if runs and runs[-1][1] == look.style:
            runs[-1] = (runs[-1][0] + mark, look.style)
        else:
            runs.append((mark, look.style))
    return tuple(runs)
