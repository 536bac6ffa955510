"""The parts of a file as rows of a table, for people: what repeats for pages is said once.

Not the map (flash_map.py), and nothing of JSON or HTML, which have every part.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from imgtool.cli.show.flash_map import style_of
from imgtool.cli.show.text import Span
from imgtool.formats.reading import Part, PartKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.cli.show.text import Line

__all__ = ["part_rows"]

_LOOSE: Final = (PartKind.UNKNOWN, PartKind.BLANK, PartKind.GAP)
_MOST: Final = 40  # rows of what no format knows, and of the fill between


def part_rows(parts: Sequence[Part]) -> list[tuple[Line, ...]]:
    """Offset, size, kind and contents of each part; long runs of unknown data and fill end in one row.

    Args:
        parts: In file order.
    """
    rows: list[tuple[Line, ...]] = []
    for loose, run in groupby(parts, lambda part: part.kind in _LOOSE):
        some = list(run)
        most = _MOST if loose and len(some) > _MOST + 1 else len(some)
        rows += [_row(part) for part in some[:most]]
        if left := some[most:]:
            size = sum(part.size for part in left)
            words = f"and {len(left):,} more parts: --json or --html has all"
            rows.append((f"0x{left[0].offset:06x}", f"{size:,}", Span("...", "dim"), words))
    return rows


def _row(part: Part) -> tuple[Line, ...]:
    where = "" if part.address is None else f"at 0x{part.address:08x}"
    contents = ", ".join(word for word in (part.note, where) if word)
    return f"0x{part.offset:06x}", f"{part.size:,}", Span(str(part.kind), style_of(part.kind)), contents
