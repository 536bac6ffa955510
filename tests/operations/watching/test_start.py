"""A chip right after a reset: at which speeds it is listened to, when that is over, and what was heard."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from imgtool.formats.logs.serial_line import heard_at
from imgtool.operations.explain.expected import Expected, expected_of
from imgtool.operations.explain.messages.row import Speaker
from imgtool.operations.explain.values import Verdict
from imgtool.operations.watching.start import StartWatch
from tests import boot_logs as logs

ROM, FIRMWARE = 74_880, 115_200
BOOT = logs.BANNER + logs.LOADED
NODEMCU = expected_of(Speaker.NODEMCU)
UNKNOWN = expected_of(None)
BANNER = "\r\nNodeMCU 2.2.0 build 20190301 powered by Lua 5.1.4 on SDK 2.2.1(6ab97e9)\r\n"
PROMPT = BANNER + "lua: cannot open init.lua\r\n> "
FORMATS = "\r\nFormatting file system. Please wait...\r\n"
STEP = 0.01


@dataclass
class Chip:
    """A chip that talks, and a host that steps every 10 ms and hears it at the speed of its line.

    Attributes:
        watch: What listens.
        now: The time, s.
        ended: When the watch was over; None while it is not.
        speeds: The speeds that the line was set to, in order.
    """

    watch: StartWatch
    now: float = 0.0
    ended: float | None = None
    speeds: list[int] = field(default_factory=list)
    baud: int = ROM

    def says(self, text: str, baud: int) -> Chip:
        size = max(1, int(STEP * baud / 10))
        data = text.encode()
        for start in range(0, len(data), size):
            self.now += STEP
            self._step(heard_at(data[start : start + size], baud, self.baud))
        return self

    def rests(self, seconds: float) -> Chip:
        end = self.now + seconds
        while self.now < end:
            self.now += STEP
            self._step(b"")
        return self

    def _step(self, data: bytes) -> None:
        if self.ended is not None:
            return
        baud = self.watch.feed(data, self.now)
        if baud is not None:
            self.baud = baud
            self.speeds.append(baud)
            self.watch.speed_is(baud, self.now)
        if self.watch.over(self.now):
            self.ended = self.now


def listens(expected: Expected = NODEMCU, *, first_start: bool = False, shows: bool = True) -> Chip:
    return Chip(StartWatch(expected, ROM, 0.0, first_start=first_start, shows=shows))


def test_what_shows_that_it_runs_ends_it() -> None:
    chip = listens().says(BOOT, ROM).rests(0.3).says(PROMPT, FIRMWARE).rests(1)

    assert (chip.watch.found.verdict, chip.speeds) == (Verdict.RUNS, [FIRMWARE])
    assert chip.ended is not None
    assert chip.ended < 1
    assert BANNER.strip() in chip.watch.log.decode()


def test_one_short_line_behind_a_pause_is_not_lost() -> None:
    chip = (
        listens(expected_of(Speaker.AT)).says(BOOT, ROM).rests(0.2).says("\r\nready\r\n", FIRMWARE).rests(1)
    )

    assert chip.watch.found.verdict is Verdict.RUNS
    assert chip.watch.bauds == (ROM, FIRMWARE)


def test_the_last_line_of_the_sdk_changes_the_speed_at_once() -> None:
    chip = (
        listens(expected_of(Speaker.AT)).says(BOOT + logs.SDK, ROM).says("\r\nready\r\n", FIRMWARE).rests(1)
    )

    assert chip.watch.found.verdict is Verdict.RUNS


def test_a_crystal_of_40_mhz_needs_no_change() -> None:
    chip = Chip(StartWatch(NODEMCU, FIRMWARE, 0.0, shows=True), baud=FIRMWARE)
    chip.says(BOOT, FIRMWARE).rests(0.3).says(PROMPT, FIRMWARE).rests(1)

    assert (chip.watch.found.verdict, chip.speeds) == (Verdict.RUNS, [])


def test_a_line_of_which_the_speed_is_anothers_is_left_alone() -> None:
    chip = Chip(StartWatch(NODEMCU, ROM, 0.0, follows=False, shows=True))
    chip.says(BOOT, ROM).rests(0.3).says(PROMPT, FIRMWARE).rests(3)

    assert (chip.speeds, chip.watch.found.verdict) == ([], Verdict.UNFINISHED)


def test_the_speed_of_old_firmware_comes_first() -> None:
    old = NODEMCU._replace(bauds=(9600, FIRMWARE))
    chip = listens(old).says(BOOT, ROM).rests(0.3).says(PROMPT, 9600).rests(1)

    assert (chip.watch.found.verdict, chip.speeds) == (Verdict.RUNS, [9600])


def test_a_restart_is_heard_at_the_speed_of_the_rom_again() -> None:
    chip = listens().says(BOOT, ROM).rests(0.3).says(BOOT * 2, ROM).rests(0.3).says(PROMPT, FIRMWARE).rests(1)

    assert chip.speeds == [FIRMWARE, ROM, FIRMWARE]
    assert chip.watch.found.verdict is Verdict.RUNS


def test_noise_of_a_speed_that_was_left_is_not_in_the_log() -> None:
    chip = listens().says(BOOT, ROM).says(PROMPT * 3, FIRMWARE).rests(1)

    assert chip.watch.found.verdict is Verdict.RUNS
    assert not chip.watch.found.boots[-1].noise


def test_noise_behind_which_nothing_is_read_is_known_to_be_lost() -> None:
    text = "hello world, how are you\r\n" * 100
    chip = listens(UNKNOWN, shows=False).says(BOOT, ROM).says(text, 38_400).rests(4)

    assert chip.watch.found.verdict is Verdict.UNFINISHED
    assert chip.watch.lost
    assert set(chip.watch.bauds) == {ROM, *UNKNOWN.bauds}


def test_noise_is_all_there_is() -> None:
    chip = listens().says(BOOT * 3, 38_400).rests(4)

    assert chip.watch.log.strip()
    assert chip.watch.found.verdict in (Verdict.WRONG_BAUD, Verdict.NOTHING_KNOWN)


def test_a_failure_ends_it_behind_its_rest() -> None:
    dump = "Fatal exception 28(LoadProhibitedCause):\r\nepc1=0x40210dc4, epc2=0x00000000, epc3=0x00000000, "
    chip = listens().says(BOOT, ROM).rests(0.1).says(dump, ROM).says("excvaddr=0x00000010, depc=0x0\r\n", ROM)

    begun = chip.ended
    chip.rests(2)
    assert (begun, chip.watch.found.verdict) == (None, Verdict.EXCEPTION)
    assert b"excvaddr" in chip.watch.log
    assert chip.ended is not None
    assert chip.ended < 1.5


def test_a_flood_of_failures_ends_too() -> None:
    chip = listens().says(BOOT, ROM).says((logs.INIT + "\r\n") * 2000, ROM)

    assert chip.watch.found.verdict is Verdict.INIT_DATA
    assert chip.ended is not None
    assert chip.ended < 2


def test_download_mode_ends_it() -> None:
    chip = listens().says(logs.DOWNLOAD, ROM).rests(2)

    assert (chip.watch.found.verdict, chip.ended is not None) == (Verdict.DOWNLOAD, True)


@pytest.mark.parametrize(
    ("said", "first_start", "shows", "end"),
    [
        ("", False, True, NODEMCU.seconds),
        ("", True, True, NODEMCU.longest),
        (FORMATS, False, True, NODEMCU.longest),
        (FORMATS, False, False, NODEMCU.longest),
        ("value 17\r\n", False, True, NODEMCU.longest),
        ("value 17\r\n", False, False, NODEMCU.seconds),
    ],
    ids=["silent", "planned", "formats", "formats-unknown", "begun", "sketch"],
)
def test_how_long_is_waited(said: str, first_start: bool, shows: bool, end: float) -> None:
    chip = listens(first_start=first_start, shows=shows).says(BOOT, ROM).rests(0.3)
    chip.says(said, FIRMWARE).rests(90)

    assert chip.ended == pytest.approx(end, abs=0.05)
    assert chip.watch.found.verdict in (Verdict.UNFINISHED, Verdict.SPEAKS)


def test_a_chip_that_says_nothing_is_not_waited_for_longer() -> None:
    chip = listens(first_start=True).rests(90)

    assert chip.ended == pytest.approx(NODEMCU.seconds, abs=0.05)
    assert not chip.watch.log.strip()


def test_the_prompt_behind_a_new_file_system() -> None:
    chip = listens().says(BOOT, ROM).rests(0.3).says(FORMATS, FIRMWARE).rests(10)

    begun = chip.ended
    assert (begun, chip.watch.waits_on) == (None, True)
    chip.rests(30).says(PROMPT, FIRMWARE).rests(1)
    assert chip.watch.found.verdict is Verdict.RUNS
    assert chip.ended is not None
    assert chip.ended < 42


def test_words_of_failure_that_no_rule_knows_do_not_end_it() -> None:
    chip = (
        listens(UNKNOWN, shows=False)
        .says(BOOT, ROM)
        .rests(0.3)
        .says("E (47) power: no answer\r\n", FIRMWARE)
        .rests(9)
    )

    assert chip.ended == pytest.approx(UNKNOWN.seconds, abs=0.05)
    assert chip.watch.found.verdict is Verdict.CANNOT_JUDGE


def test_a_flood_is_kept_in_part() -> None:
    chip = listens(UNKNOWN, shows=False).says(BOOT, ROM).rests(0.3).says("value 17\r\n" * 3000, FIRMWARE)

    assert len(chip.watch.log) < 12_000
    assert chip.watch.log.startswith(b" ets Jan")
    assert chip.watch.found.verdict is Verdict.SPEAKS


@pytest.mark.parametrize(("baud", "first_start", "lost"), [(FIRMWARE, False, True), (FIRMWARE, True, False)])
def test_a_short_line_that_is_lost_is_known_to_be(baud: int, first_start: bool, lost: bool) -> None:
    chip = listens(expected_of(Speaker.AT), first_start=first_start).says(BOOT, ROM)
    chip.says("\r\nready\r\n", baud).rests(4)

    assert chip.watch.found.verdict is Verdict.UNFINISHED
    assert chip.watch.lost is lost


def test_a_restart_is_read_at_the_speed_that_the_sdk_has_left() -> None:
    """The ROM then speaks at 115200, the SDK behind it at 74880 again."""
    chip = listens().says(BOOT + logs.SDK, ROM)
    for _ in range(6):
        chip.says(BOOT, FIRMWARE).rests(0.15).says(logs.RF.format(1019) + logs.SDK, ROM)

    assert chip.speeds == [FIRMWARE, ROM] * 3
    assert chip.watch.log.count(b"phy ver") > 2
    assert all(line.isascii() for line in chip.watch.log.splitlines())


def test_noise_in_front_of_a_line_is_taken_off() -> None:
    chip = listens(UNKNOWN, shows=False).says(BOOT, ROM).rests(0.3)
    chip.watch.feed(b"\x81\x82\x83\x84\x85\x02\x03rf cal sector: 11\r\nvalue \xb0 17\r\n\x81\x82>", 1.0)

    assert chip.watch.log.splitlines()[-2:] == [b"rf cal sector: 11", b"value \xb0 17"]
