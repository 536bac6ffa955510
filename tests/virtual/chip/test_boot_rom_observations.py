"""The virtual chip against what the boot ROM was seen to do: fixtures/boot_rom, without the ROM.

tests/oracle/test_boot_rom.py asks the ROM itself, more and anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from imgtool.virtual.chip.machine import VirtualChip
from tests.oracle.boot_images import BootBench
from tests.oracle.loader_requests import Answer, Bench

FOLDER: Final = Path(__file__).parents[3] / "fixtures" / "boot_rom"


def lines(name: str) -> list[dict[str, Any]]:
    text = (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_the_loader_answers_as_the_rom_does() -> None:
    bench = Bench(VirtualChip)
    different: list[tuple[str, Answer, Answer]] = []
    asked = 0
    for line in lines("loader"):
        if "reset" in line:
            bench.start_again()
        elif "content" in line:
            assert bench.content == line["content"]
        else:
            asked += 1
            answer, observed = bench.ask(bytes.fromhex(line["sent"])), Answer.from_json(line)
            if answer != observed:
                different.append((line["sent"], answer, observed))
    assert different == []
    assert asked > 1200


def test_a_boot_says_what_the_rom_does() -> None:
    bench = BootBench(VirtualChip)
    observed = lines("boot")
    different = [
        (line["image"], said, line["says"])
        for line in observed
        if (said := bench.says(bytes.fromhex(line["image"]))) != line["says"]
    ]
    assert different == []
    assert len(observed) > 150
