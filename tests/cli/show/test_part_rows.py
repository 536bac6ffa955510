"""The table of parts on a terminal."""

from __future__ import annotations

import json
from pathlib import Path

from fixtures import blocks
from imgtool.cli.show.part_rows import part_rows
from imgtool.formats.reading import Part, PartKind
from tests.support import Command, Put, aggregate

NOISE = blocks.stream("rows", 0x1000)


def alternating(count: int) -> list[Part]:
    kinds = (PartKind.UNKNOWN, PartKind.BLANK)
    return [Part(kinds[number % 2], number * 0x1000, 0x1000) for number in range(count)]


def test_forty_one_rows_are_shown_and_more_are_summed_up() -> None:
    assert len(part_rows(alternating(41))) == 41

    rows = part_rows(alternating(100))
    assert len(rows) == 41
    assert rows[-1][:2] == ("0x028000", f"{60 * 0x1000:,}")
    assert rows[-1][3] == "and 60 more parts: --json or --html has all"


def test_what_formats_know_is_always_shown() -> None:
    parts = [*alternating(50), Part(PartKind.SPIFFS, 50 * 0x1000, 0x1000), *alternating(50)]
    assert "0x032000" in [row[0] for row in part_rows(parts)]
    known = [Part(PartKind.SPIFFS, number * 0x1000, 0x1000) for number in range(100)]
    assert len(part_rows(known)) == 100


def test_json_and_html_have_every_part(put: Put, folder: Path, imgtool: Command) -> None:
    data = bytearray(aggregate("sample").ljust(0x100000, b"\xff"))
    for start in range(0x40000, 0xC0000, 0x2000):
        data[start : start + 0x1000] = NOISE
    put("dump.bin", bytes(data))

    shown = imgtool("inspect", "dump.bin").out
    assert "more parts: --json or --html has all" in shown
    assert "\n  0x0be000 " not in shown
    parts = json.loads(imgtool("inspect", "dump.bin", "--json").out)["results"][0]["parts"]
    assert sum(part["kind"] == "unknown" for part in parts) >= 64
    imgtool("inspect", "dump.bin", "--html", "dump.html")
    assert "0x0be000" in (folder / "dump.html").read_text(encoding="utf-8")
