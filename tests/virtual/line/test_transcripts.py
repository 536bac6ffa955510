"""Transcripts are played to a fresh chip, and every byte that it says is compared.

Those that esptool's bytes are in were recorded (fixtures/record.py); those in by-hand were written from the
published protocol, so that a mistake that client and device share shows.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fixtures import transcripts
from imgtool.flash_parts import flash_part
from imgtool.virtual.chip.machine import Setup, VirtualChip
from imgtool.virtual.chip.store import MemoryStore
from imgtool.virtual.line.link import VirtualLine
from imgtool.virtual.line.record import Recorder
from imgtool.virtual.line.replay import replay
from imgtool.virtual.line.spec import parse_mac

ALL = sorted(transcripts.FOLDER.rglob("*.jsonl"))
NEVER = 1 << 60


def chip_of(head: dict[str, str]) -> VirtualChip:
    part = flash_part(head["part"])
    store = MemoryStore(part.bytes)
    store.write(0, transcripts.content(head.get("content"), part.bytes))
    return VirtualChip(Setup(part, store, parse_mac(head["mac"])))


def read(path: Path) -> tuple[dict[str, str], list[str]]:
    try:
        return transcripts.read(path)
    except transcripts.NoStubError as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_the_chip_answers_as_it_did(path: Path) -> None:
    head, lines = read(path)
    if "goes_on" not in head:
        # Nothing may come behind the last answer either.
        last = [] if '"disconnect"' not in lines[-1] else [lines.pop()]
        assert len(last) <= 1
        lines.append(json.dumps({"t": NEVER, "event": "disconnect"}))
    chip = chip_of(head)
    assert chip.facts() == {key: head[key] for key in chip.facts()}
    assert replay(lines, VirtualLine(chip)) is None
    assert chip.traps == []


def test_every_opcode_of_the_rom_has_one_by_hand() -> None:
    names = {path.stem.split("-")[0] for path in ALL if path.parent.name == "by-hand"}
    assert names == {f"{opcode:02x}" for opcode in range(0x02, 0x0B)}


def test_what_they_leave_in_the_flash() -> None:
    pattern = transcripts.content("pattern", 0x10_0000)
    for name, address, size, data in (
        ("rom-write-flash", 0x3000, 0x1000, pattern[0x8080:0x8880]),
        ("stub-write-flash", 0x3000, 0x2000, pattern[0x8080 : 0x8080 + 5000]),
        ("stub-erase-region", 0x4000, 0x2000, b""),
    ):
        head, lines = read(transcripts.FOLDER / f"{name}.jsonl")
        chip = chip_of(head)
        assert replay(lines, VirtualLine(chip)) is None
        flash = chip.flash.read(0, 0x10_0000)
        # The ROM erases a sector more: its quirk.
        more = 0x1000 if name.startswith("rom") else 0
        assert flash[:address] == pattern[:address]
        assert flash[address : address + size + more] == data.ljust(size + more, b"\xff")
        assert flash[address + size + more :] == pattern[address + size + more :]


@pytest.mark.parametrize("path", ALL[::5], ids=lambda path: path.stem)
def test_a_changed_answer_is_found(path: Path) -> None:
    _, lines = read(path)
    outs = [number for number, line in enumerate(lines) if '"out"' in line]
    for number in outs[:: max(1, len(outs) // 5)]:
        record = json.loads(lines[number])
        data = bytearray.fromhex(record["out"])
        data[len(data) // 2] ^= 0x10
        changed = [*lines[:number], json.dumps(record | {"out": data.hex()}), *lines[number + 1 :]]
        difference = replay(changed, VirtualLine(chip_of(json.loads(lines[0]))))
        assert difference is not None
        assert difference.line == number + 1
        assert difference.expected == data


def test_an_answer_too_many_is_found() -> None:
    _, lines = read(transcripts.FOLDER / "by-hand" / "08-sync.jsonl")
    without = [*lines[:-1], json.dumps({"t": NEVER, "event": "disconnect"})]
    difference = replay(without, VirtualLine(chip_of(json.loads(lines[0]))))
    assert difference is not None
    assert (difference.expected, difference.found[1:3]) == (b"", b"\x01\x08")


class Lines(list[str]):
    """Where a recorder writes."""

    def write(self, text: str) -> None:
        self.append(text)


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_a_record_of_the_playing_is_the_transcript(path: Path) -> None:
    head, lines = read(path)
    chip, written = chip_of(head), Lines()
    recorder = Recorder(written, chip.facts())
    replay(lines, VirtualLine(chip, recorder))
    recorder.flush()

    def streams(records: list[str]) -> list[str]:
        parsed = [json.loads(line) for line in records]
        return ["".join(record.get(way, "").replace(" ", "") for record in parsed) for way in ("in", "out")]

    heard, said = streams(written)
    assert heard == streams(lines)[0]
    assert said.startswith(streams(lines)[1]) if "goes_on" in head else said == streams(lines)[1]
    # And it plays again, with its times.
    assert replay(written, VirtualLine(chip_of(head))) is None


def test_they_are_small_and_hold_no_stub() -> None:
    assert sum(path.stat().st_size for path in ALL) < 300_000
    for path in ALL:
        for line in path.read_text(encoding="utf-8").splitlines():
            # Anything but flash data for the chip is short: a piece of a stub would not be.
            assert len(json.loads(line).get("in", "")) < 2 * 4500
            assert path.stem.startswith("stub-") or '"stub"' not in line
