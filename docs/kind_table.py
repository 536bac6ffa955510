"""The table of kinds in docs/formats/kinds.md, made from the rows of imgtool/formats/kinds.py.

Not a description of its own: to change a line of the table, change the row.  ``python docs/kind_table.py``
writes it, ``--check`` says whether it is as it should be.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the rows of this checkout, also where another imgtool is installed

from made_part import run

from imgtool.formats.kinds import KINDS, Spot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.formats.kinds import KindRow

PAGE: Final = ROOT / "docs" / "formats" / "kinds.md"
HEAD: Final = (
    "| Kind | What it is | Where it may stand in a flash | Who starts or reads it | What is done with it |\n"
    "|---|---|---|---|---|\n"
)


def place_of(row: KindRow) -> str:
    """Where files of a kind may stand."""
    if row.no_content:
        return f"nowhere: it is {row.no_content}"
    if row.address is not None:
        return f"0x{row.address:05x}, {Spot.FIXED}"
    if row.region is not None:
        return f"{Spot.REGION}: {row.belongs}"
    return ", or ".join(row.spots) or "nowhere"


def use_of(row: KindRow) -> str:
    """Who starts files of a kind at 0, and who elsewhere."""
    at_start = () if row.brings is None else (f"{row.brings} at 0",)
    elsewhere = (starter for starter in row.started_by if starter is not row.brings)
    return ", ".join((*at_start, *elsewhere))


def commands_of(row: KindRow) -> str:
    """What the commands do with files of a kind beside placing them."""
    return "; ".join(_commands(row))


def _commands(row: KindRow) -> Iterator[str]:
    if row.has_layout:
        yield "`fullimage` and `split` take it"
    elif row.other_half:
        yield f"`fullimage` takes it with `{row.other_half}`"
    if row.closed:
        yield f"`patch` refuses it: {row.closed}"
    elif row.is_firmware and Spot.LINKED not in row.spots:
        yield f"`patch` changes the image header: {row.headers.value}"
    if row.no_start:
        yield f"at 0 `flash` refuses it: {row.no_start}"
    if row.wraps:
        yield "`inspect` looks into it"
    if row.foreign:
        yield "`inspect` ends with 3"


def table() -> str:
    """A line a kind."""
    lines = (
        f"| `{kind}` | {row.words} | {place_of(row)} | {use_of(row)} | {commands_of(row)} |\n"
        for kind, row in KINDS.items()
    )
    return HEAD + "".join(lines)


if __name__ == "__main__":
    sys.exit(run(PAGE, "kind_table.py", table()))
