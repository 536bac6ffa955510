"""Tables of files that are described: what is in them, and what long ones leave out."""

from __future__ import annotations

from imgtool.engine.file_tables import parts_table
from imgtool.engine.results import Tone, Toned
from imgtool.formats.reading import Part, PartKind


def alternating(count: int) -> list[Part]:
    kinds = (PartKind.UNKNOWN, PartKind.BLANK)
    return [Part(kinds[number % 2], number * 0x1000, 0x1000) for number in range(count)]


def test_forty_one_rows_of_parts_are_shown_and_more_are_summed_up() -> None:
    assert len(parts_table(alternating(41)).rows) == 41

    rows = parts_table(alternating(100)).rows
    assert len(rows) == 41
    assert rows[-1] == (
        "0x028000",
        f"{60 * 0x1000:,}",
        Toned("...", Tone.DIM),
        "and 60 more parts: --json or --html has all",
    )


def test_what_formats_know_is_always_shown() -> None:
    parts = [*alternating(50), Part(PartKind.SPIFFS, 50 * 0x1000, 0x1000), *alternating(50)]
    assert "0x032000" in [row[0] for row in parts_table(parts).rows]
    known = [Part(PartKind.SPIFFS, number * 0x1000, 0x1000) for number in range(100)]
    assert len(parts_table(known).rows) == 100
