"""What advise predicts is what the virtual chip does: flash OLD, boot, flash NEW, boot, and read the log.

Both were made from the same sources, so that they agree is no proof for silicon; but each spells the rules in
its own way.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import pytest

from fixtures.upgrades import KB, MB, before_3, from_3
from imgtool.engine.boot_logs import explain
from imgtool.errors import ImgtoolError
from imgtool.formats.firmware import identify_firmware
from imgtool.formats.logs.boots import ResetCause
from imgtool.formats.regions.init_data import SETS
from imgtool.layout.generations import generation_of
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.explain.values import Verdict
from imgtool.operations.upgrade.values import AdviceVerdict, FirmwareAdvice, Topic
from imgtool.virtual.chip.boot import boot
from tests.advice import advise
from tests.support import Command, Put, flashed, over

ERASED: Final = b"\xff"
IMAGE: Final = {
    **{name: before_3(name) for name in ("0.9.5", "1.4.0", "1.5.1", "1.5.4.1-20160802", "1.5.4.1-20161201")},
    **{name: before_3(name) for name in ("2.0.0", "2.1.0-20170521", "2.2.1")},
    "3.0-2019": from_3(early=True),
    "3.0-2021": from_3(),
    "3.0-lfs": from_3(lfs=0x10000),
}


def as_it_is(flash: bytes, image: bytes) -> bytes:
    """The flash after a tool that writes the file as it is."""
    return over(flash, [(0, image.ljust(-(-len(image) // 0x1000) * 0x1000, ERASED))])


class Booted(NamedTuple):
    flash: bytes
    verdict: Verdict
    log: bytes


def booted(flash: bytes) -> Booted:
    """The flash after a boot with the writes of a first one, and what explain says of its log."""
    run = boot(flash, ResetCause.EXTERNAL, writes=True)
    log = b"".join(event.text for event in run.events)
    if run.next_cause is not None:
        again = boot(flash, run.next_cause)
        log += b"".join(event.text for event in again.events) * 3
    writes = [event.write for event in run.events if event.write is not None]
    sectors = [(address, (data or ERASED).ljust(0x1000, ERASED)) for address, data in writes]
    return Booted(over(flash, sectors), explain(log).verdict, log)


@pytest.mark.parametrize("name", IMAGE)
def test_the_console_speaks_at_the_speed_of_the_generation(name: str) -> None:
    flash = booted(flashed(ERASED * MB, IMAGE[name])).flash
    banners = [event.baud for event in boot(flash, ResetCause.EXTERNAL).events if b"powered by" in event.text]

    assert banners == [generation_of(identify_firmware(IMAGE[name])).baud]


PAIRS: Final = [
    ("0.9.5", "2.2.1", MB),
    ("1.4.0", "1.5.4.1-20160802", MB),
    ("1.5.1", "1.5.4.1-20161201", MB),
    ("1.5.4.1-20160802", "2.0.0", MB),
    ("2.0.0", "3.0-2019", MB),
    ("2.1.0-20170521", "3.0-2021", MB),
    ("2.2.1", "0.9.5", MB),
    ("2.2.1", "1.5.4.1-20160802", MB),
    ("2.2.1", "2.2.1", 512 * KB),
    ("2.2.1", "3.0-2021", 512 * KB),
    ("3.0-2019", "3.0-2021", MB),
    ("3.0-2021", "2.2.1", MB),
    ("3.0-2021", "3.0-lfs", MB),
    ("3.0-2021", "3.0-2021", MB),
]


@pytest.mark.parametrize(("old", "new", "size"), PAIRS, ids=str)
@pytest.mark.parametrize("tool", ["imgtool", "another"])
def test_the_boot_is_the_one_that_was_predicted(old: str, new: str, size: int, tool: str) -> None:
    before = booted(flashed(ERASED * size, IMAGE[old])).flash
    advice = advise(before, IMAGE[new])

    if tool == "imgtool" and refused(advice):
        with pytest.raises(ImgtoolError):
            flashed(before, IMAGE[new])
        return
    written = flashed(before, IMAGE[new]) if tool == "imgtool" else as_it_is(before, IMAGE[new])
    after = booted(written)
    point = predicted(advice, Topic.INIT_DATA, tool)

    if refused(advice) or predicted(advice, Topic.FLASH_SIZE, tool) is AdviceVerdict.REFUSED:
        assert (after.verdict is Verdict.RUNS) is (written[3] >> 4 == 2), after.log
        return
    loops = point is AdviceVerdict.BOOT_LOOP
    assert after.verdict is (Verdict.INIT_DATA if loops else Verdict.RUNS), after.log
    place = 0xF000 if new in ("3.0-2021", "3.0-lfs") else 0xC000 if new == "3.0-2019" else size - 0x4000
    if tool == "imgtool" and point is AdviceVerdict.KEPT and predicted(advice, Topic.SETTINGS, tool) is None:
        assert after.flash[place : place + 128] == before[place : place + 128]
    if not loops:
        assert after.flash[place] in {5, 0xFF}


def refused(advice: FirmwareAdvice) -> bool:
    point = advice.point(Topic.FLASH_SIZE)
    return point is not None and point.verdict is AdviceVerdict.REFUSED


def predicted(advice: FirmwareAdvice, topic: Topic, tool: str) -> AdviceVerdict | None:
    """The verdict for a tool: another one's where it differs, else that for imgtool."""
    if tool == "another":
        found = next((point.verdict for point in advice.other if point.topic is topic), None)
        if found is not None:
            return found
    point = advice.point(topic)
    return None if point is None else point.verdict


class Loop(NamedTuple):
    """A flash with something at the place of init data, and the release that finds it there."""

    name: str
    new: str
    puts: bytes
    verdict: AdviceVerdict


LOOPS: Final = [
    Loop("erased, early 1.5.4.1", "1.5.4.1-20160802", ERASED * 128, AdviceVerdict.BOOT_LOOP),
    Loop("erased, late 1.5.4.1", "1.5.4.1-20161201", ERASED * 128, AdviceVerdict.REWRITTEN),
    Loop("erased, 2.0.0", "2.0.0", ERASED * 128, AdviceVerdict.REWRITTEN),
    Loop("Arduino's RF cal, late 1.5.4.1", "1.5.4.1-20161201", b"\x30\x11" * 64, AdviceVerdict.BOOT_LOOP),
    Loop("Arduino's RF cal, 2.2.1", "2.2.1", b"\x30\x11" * 64, AdviceVerdict.BOOT_LOOP),
    Loop("Arduino's RF cal, 1.5.1", "1.5.1", b"\x30\x11" * 64, AdviceVerdict.UNKNOWN),
    Loop("v08, early 1.5.4.1", "1.5.4.1-20160802", SETS["v08"], AdviceVerdict.KEPT),
]


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.name)
def test_a_boot_loop_is_predicted(loop: Loop) -> None:
    before = over(ERASED * MB, [(0, IMAGE["2.2.1"]), (MB - 0x4000, loop.puts)])
    advice = advise(before, IMAGE[loop.new])
    after = booted(as_it_is(before, IMAGE[loop.new]))
    point = predicted(advice, Topic.INIT_DATA, "another")

    if loop.verdict is not AdviceVerdict.UNKNOWN:
        assert point is loop.verdict
    assert (after.verdict is Verdict.INIT_DATA) is (point is AdviceVerdict.BOOT_LOOP), after.log
    # imgtool flash repairs what it can see.
    assert booted(flashed(before, IMAGE[loop.new])).verdict is Verdict.RUNS


def test_a_record_keeps_nodemcu_3_from_repairing() -> None:
    used = booted(flashed(ERASED * MB, IMAGE["3.0-2021"])).flash
    broken = over(used, [(0xF000, b"\x30" * 128)])
    advice = advise(broken, [Piece(0x10000, IMAGE["3.0-2021"][0x10000:], "0x10000.bin")])

    assert booted(broken).verdict is Verdict.INIT_DATA
    assert predicted(advice, Topic.INIT_DATA, "imgtool") is AdviceVerdict.REWRITTEN
    assert booted(flashed(broken, IMAGE["3.0-2021"])).verdict is Verdict.RUNS


@pytest.mark.long
def test_on_a_virtual_board(put: Put, imgtool: Command) -> None:
    """By the command line alone, with the ROM loader: OLD is flashed and boots, then NEW."""
    put("old.bin", IMAGE["1.5.4.1-20160802"])
    put("new.bin", IMAGE["2.2.1"])
    port, rom = "sim:512KB,flash=board.bin,boot-writes", ("--stub", "none")
    assert imgtool("flash", "-p", port, "old.bin", *rom).code == 0
    told = imgtool("advise", "-p", port, "new.bin", *rom)
    run = imgtool("flash", "-p", port, "new.bin", *rom)

    assert "init data stays" in told.out.lower()
    assert (run.code, "loaded and started" in run.out) == (0, True), run.out
    assert "first boot: it formats 0x020000" in " ".join(run.out.split())
