"""The table of parts on a terminal."""

from __future__ import annotations

import json
from pathlib import Path

from fixtures import blocks
from tests.support import Command, Put, aggregate

NOISE = blocks.stream("rows", 0x1000)


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
