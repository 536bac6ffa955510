"""What a chip says, cut anywhere: lines, notes and speeds."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.engine.watching import Watch
from imgtool.formats.logs.serial_line import heard_at
from imgtool.operations.explain.values import Verdict
from imgtool.operations.watching.line_speed import Heard, LineSpeed, is_clean
from imgtool.operations.watching.stream import WatchEvent, WatchLine, WatchNote, WatchSpeed, WatchText
from tests import boot_logs as logs

ROM, FIRMWARE = 74_880, 115_200
BOOT = (logs.BANNER + logs.LOADED).encode()
PROMPT = b"NodeMCU 2.2.0 build 20190301 powered by Lua 5.1.4 on SDK 2.2.1(6ab97e9)\r\n> "
DAMAGED = (logs.BANNER + logs.LOADS + logs.CSUM_ERR).encode()
NO_INIT_DATA = (logs.BANNER + logs.LOADED + logs.INIT).encode()
HANGS = logs.BANNER.replace("cause:2", "cause:4").encode() + logs.LOADED.encode()


def lines(events: list[WatchEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, WatchLine)]


def notes(events: list[WatchEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, WatchNote)]


def failures(events: list[WatchEvent]) -> list[Verdict | None]:
    return [event.verdict for event in events if isinstance(event, WatchNote) and event.kind == "failure"]


def speeds(events: list[WatchEvent]) -> list[int]:
    return [event.baud for event in events if isinstance(event, WatchSpeed)]


class Chip:
    """A line to a chip that talks at speeds of its own, heard as a host hears it at the speed of now."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.events: list[WatchEvent] = []
        self.now = 0.0

    def says(self, data: bytes, baud: int) -> Chip:
        """Eight bytes at a time; a change of speed counts from the next eight on."""
        for start in range(0, len(data), 8):
            self.now += 8 * 10 / baud
            heard = heard_at(data[start : start + 8], baud, self.watch.baud)
            events = self.watch.feed(heard, self.now)
            self.events += events
            for wanted in speeds(events):
                self.events += self.watch.speed_is(wanted, self.now)
        return self

    def rests(self, seconds: float) -> Chip:
        self.now += seconds
        self.events += self.watch.pause(self.now)
        return self


# Lines.


@pytest.mark.parametrize(
    ("data", "expected", "left"),
    [
        (b"", [], ""),
        (b"a\nb\r\nc\r\r\nd\re", ["a", "b", "c", "d"], "e"),
        (b"\n\r\n\r", ["", "", ""], ""),
        (b"\r\r\r\n", [""], ""),
        (b"> ", [], "> "),
        ("gr\u00fc\u00df dich\n".encode(), ["gr\u00fc\u00df dich"], ""),
        (b"\xe9\n\xc3", ["\\xe9"], ""),
        (b"\x1b[31mred\n", ["\x1b[31mred"], ""),
        (b"x" * 4097, ["x" * 4096], "x"),
    ],
    ids=["nothing", "ends", "empty", "returns", "prompt", "utf-8", "no-utf-8", "escape", "endless"],
)
def test_lines(data: bytes, expected: list[str], left: str) -> None:
    events = Watch().feed(data, 0)

    open_lines = [event.text for event in events if isinstance(event, WatchText)]
    assert (lines(events), open_lines) == (expected, [left] if left else [])


def test_a_prompt_is_there_at_once_and_grows() -> None:
    watch = Watch()

    assert watch.feed(b">", 1.5) == [WatchText(1, 1.5, ">")]
    assert watch.feed(b" ", 2.5) == [WatchText(1, 1.5, "> ")]
    assert watch.feed(b"x\n", 3.5) == [WatchLine(1, 1.5, "> x", b"> x")]
    assert watch.close(4) == []


def test_the_end_ends_the_line() -> None:
    watch = Watch()
    watch.feed(b"cut \xc3", 1)

    assert lines(watch.close(2)) == ["cut \\xc3"]


@given(
    st.lists(
        st.sampled_from(
            [
                BOOT,
                PROMPT,
                DAMAGED,
                NO_INIT_DATA,
                HANGS,
                logs.NOISE.encode("latin-1"),
                logs.DOWNLOAD.encode(),
                b"\r",
                b"\n",
                "\u00fc\u20ac".encode(),
                b"\xff\xfe\x00",
            ]
        )
        | st.binary(max_size=40),
        max_size=6,
    ),
    st.lists(st.integers(0, 1200), max_size=12),
)
def test_cuts_change_neither_lines_nor_notes(pieces: list[bytes], cuts: list[int]) -> None:
    data = b"".join(pieces)
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    whole, cut = Watch(), Watch()
    expected = [*whole.feed(data, 1), *whole.close(2)]
    found = [event for start, end in pairwise(places) for event in cut.feed(data[start:end], 1)]
    found += cut.close(2)

    kept = [[event for event in events if not isinstance(event, WatchText)] for events in (expected, found)]
    assert kept[0] == kept[1]


@given(
    st.lists(st.text("ab \t\x00\udcff", min_size=1, max_size=40), max_size=12),
    st.lists(st.floats(0, 0.5), min_size=12, max_size=12),
    st.booleans(),
)
def test_clean_text_is_heard_at_once_as_one_by_one(texts: list[str], times: list[float], auto: bool) -> None:
    one, other = LineSpeed(ROM, auto=auto), LineSpeed(ROM, auto=auto)
    for text, now in zip(texts, sorted(times), strict=False):
        whole = text if is_clean(text) else ""
        if whole:
            found = one.hear_clean(len(whole), now)
            expected = [other.hear(char, now) for char in whole]
            assert (found is Heard.TEXT) == (expected[-1] is Heard.TEXT)
        else:
            assert [one.hear(char, now) for char in text] == [other.hear(char, now) for char in text]
        assert one.next() == other.next()
        one.set(FIRMWARE, now)
        other.set(FIRMWARE, now)


def test_what_went_wrong_is_told_behind_a_flood() -> None:
    watch = Watch(FIRMWARE)
    watch.feed(NO_INIT_DATA + b"value 17\n" * 5000, 1)

    assert failures(watch.pause(2)) == [Verdict.INIT_DATA]
    assert failures(watch.pause(3)) == []


@given(st.binary(max_size=300))
def test_no_byte_is_lost(data: bytes) -> None:
    watch = Watch(FIRMWARE, notes=False)
    events = [*watch.feed(data, 0), *watch.close(1)]

    found = b"".join(event.data for event in events if isinstance(event, WatchLine))
    assert found == data.replace(b"\r", b"").replace(b"\n", b"")


# Notes.


def test_a_reset_is_told_behind_its_line() -> None:
    events = Watch().feed(logs.BANNER.encode(), 0)

    assert [type(event) for event in events] == [WatchLine, WatchNote, WatchLine]
    assert notes(events) == ["external reset; boot from flash"]


def test_a_boot_that_is_in_order_is_told_once_it_shows_that() -> None:
    watch = Watch(FIRMWARE)
    events = [*watch.feed(BOOT + PROMPT, 0), *watch.pause(1), *watch.feed(PROMPT, 2), *watch.close(3)]
    told = [event for event in events if isinstance(event, WatchNote)]

    assert notes(events) == ["external reset; boot from flash", "NodeMCU runs"]
    assert (told[1].kind, told[1].verdict, told[1].cure) == ("verdict", Verdict.RUNS, None)


def test_that_it_runs_is_told_again_behind_a_reset_on_purpose_alone() -> None:
    watch = Watch(FIRMWARE)
    events = [event for number in range(2) for event in watch.feed(BOOT + PROMPT, number)]
    events += watch.pause(2)
    watch.restart(3)
    events += [*watch.feed(BOOT + PROMPT, 4), *watch.pause(5)]

    assert notes(events).count("NodeMCU runs") == 2


@pytest.mark.parametrize("said", [b"", b"hello world\r\nvalue 17\r\n"], ids=["silent", "speaks"])
def test_what_does_not_tell_has_no_other_note(said: bytes) -> None:
    watch = Watch(FIRMWARE)
    events = [*watch.feed(BOOT + said, 0), *watch.pause(1), *watch.close(2)]

    assert notes(events) == ["external reset; boot from flash"]


def test_a_failure_is_told_when_the_chip_falls_silent() -> None:
    watch = Watch()

    assert failures(watch.feed(DAMAGED, 1)) == []
    assert watch.pause(1.2) == []
    told = watch.pause(1.4)
    assert failures(told) == [Verdict.BAD_IMAGE]
    assert isinstance(told[0], WatchNote)
    assert told[0].cure is not None
    assert watch.pause(9) == watch.close(9) == []


def test_a_failure_is_told_in_front_of_the_next_boot() -> None:
    events = Watch().feed(NO_INIT_DATA + logs.BANNER.encode(), 1)
    kinds = [event.kind for event in events if isinstance(event, WatchNote)]
    place = next(number for number, event in enumerate(events) if getattr(event, "kind", "") == "failure")

    assert kinds == ["boot", "failure", "boot"]
    assert lines(events[place + 1 : place + 2])[0].startswith(" ets Jan")


def test_a_failure_that_repeats_is_told_once() -> None:
    watch = Watch()
    events = watch.feed(NO_INIT_DATA * 5, 1)

    assert failures([*events, *watch.pause(2)]) == [Verdict.INIT_DATA]
    watch.restart(3)
    assert failures([*watch.feed(NO_INIT_DATA, 3.5), *watch.pause(4)]) == [Verdict.INIT_DATA]


def test_a_loop_is_told_once() -> None:
    watch = Watch()
    events = [event for number in range(6) for event in watch.feed(HANGS, number)]

    assert failures([*events, *watch.pause(7)]) == [Verdict.BOOT_LOOP]


def test_resets_far_apart_or_on_purpose_are_no_loop() -> None:
    slow, wanted = Watch(), Watch()
    events = [event for number in range(6) for event in slow.feed(HANGS, 20 * number)]
    for number in range(6):
        wanted.restart(number)
        events += wanted.feed(HANGS, number + 0.5)

    assert failures([*events, *slow.pause(200), *wanted.pause(9)]) == []


def test_download_mode_is_no_failure() -> None:
    watch = Watch()
    events = [*watch.feed(logs.DOWNLOAD.encode(), 0), *watch.pause(1)]

    assert failures(events) == []
    assert notes(events) == [
        "external reset; download over UART",
        "The chip waits for a flasher: it started in download mode.",
    ]


def test_without_notes() -> None:
    watch = Watch(FIRMWARE, notes=False)
    watch.restart(0)
    noise = logs.NOISE.encode("latin-1") * 4

    assert notes([*watch.pause(5), *watch.feed(DAMAGED + noise, 6), *watch.pause(9), *watch.close(9)]) == []


def test_silence_behind_a_reset_is_told_once() -> None:
    watch = Watch()
    watch.restart(1)

    assert watch.pause(3.9) == []
    assert notes(watch.pause(4)) == ["nothing has come since the reset"]
    assert watch.pause(9) == []
    watch.restart(10)
    watch.feed(b"x", 11)
    assert watch.pause(20) == []


@given(
    st.lists(st.sampled_from([BOOT, HANGS, b"Fatal exception 28\r\n", b"\x00\xff", b"words\n"]), max_size=8)
)
def test_any_order_of_calls_is_taken(pieces: list[bytes]) -> None:
    watch = Watch()
    for number, piece in enumerate(pieces):
        watch.feed(piece, number)
        watch.pause(number + 0.5)
        if number % 3 == 2:
            watch.restart(number + 0.6)
    assert watch.close(99) is not None


# Speeds.


def test_the_speed_follows_the_firmware() -> None:
    chip = Chip(Watch()).says(BOOT, ROM).rests(0.2).says(PROMPT * 3, FIRMWARE)

    assert speeds(chip.events) == [FIRMWARE]
    assert chip.watch.baud == FIRMWARE
    assert lines(chip.events)[-1] == "> " + PROMPT.decode().partition("\r")[0]
    assert "unreadable at 74880 baud: now 115200" in notes(chip.events)


def test_the_speed_comes_back_at_a_reset_and_goes_on_again() -> None:
    chip = Chip(Watch()).says(BOOT, ROM).rests(0.2).says(PROMPT * 2, FIRMWARE).rests(1)
    chip.says(BOOT, ROM).rests(0.2).says(PROMPT * 2, FIRMWARE)

    assert speeds(chip.events) == [FIRMWARE, ROM, FIRMWARE]


def test_a_reset_on_purpose_begins_at_the_speed_of_the_rom() -> None:
    chip = Chip(Watch()).says(BOOT, ROM).rests(0.2).says(PROMPT * 2, FIRMWARE).rests(1)
    events = chip.watch.restart(chip.now)

    assert (lines(events), speeds(events)) == (["> "], [ROM])
    chip.watch.speed_is(ROM, chip.now)
    chip.events.clear()
    chip.rests(0.2).says(BOOT, ROM)
    assert notes(chip.events) == ["external reset; boot from flash"]


def test_firmware_at_another_speed() -> None:
    chip = Chip(Watch()).says(BOOT, ROM).rests(0.2).says(PROMPT * 8, 9600)

    assert speeds(chip.events) == [FIRMWARE, ROM, 9600]
    chip.says(BOOT * 2, ROM)
    chip.rests(0.2).says(PROMPT * 8, 9600)
    assert speeds(chip.events) == [FIRMWARE, ROM, 9600, ROM, 9600]


def test_the_lines_of_a_boot_tell_the_speed_of_its_firmware() -> None:
    """AT firmware may speak at 57600 baud, which is not tried of others."""
    ready = b"\r\nready\r\n"
    chip = Chip(Watch()).says(BOOT + ready, ROM).rests(0.2).says(PROMPT * 40, 57_600)

    assert speeds(chip.events) == [FIRMWARE, ROM, 9600, 57_600]
    assert 57_600 not in speeds(Chip(Watch()).says(BOOT, ROM).rests(0.2).says(PROMPT * 40, 57_600).events)


def test_a_crystal_of_40_mhz() -> None:
    chip = Chip(Watch()).says(BOOT + PROMPT * 2 + b"\r\n", FIRMWARE).rests(1).says(BOOT, FIRMWARE)

    assert speeds(chip.events) == [FIRMWARE]
    assert speeds(chip.watch.restart(chip.now)) == []


def test_no_speed_is_right() -> None:
    chip = Chip(Watch()).says(PROMPT * 40, 38_400)

    assert speeds(chip.events) == [FIRMWARE, 9600, ROM]
    assert notes(chip.events)[-1] == (
        "unreadable at each of 74880, 115200, 9600 baud: another speed, or a bad line"
    )
    chip.says(BOOT, ROM).rests(0.2).says(PROMPT * 2, FIRMWARE)
    assert speeds(chip.events) == [FIRMWARE, 9600, ROM, FIRMWARE]


def test_what_prints_text_and_bytes_is_given_up() -> None:
    chip = Chip(Watch()).says(BOOT, ROM).rests(0.2)
    for _ in range(40):
        chip.says(PROMPT * 3 + bytes(range(128, 192)) * 3, FIRMWARE).rests(0.2)

    assert len(speeds(chip.events)) < 20
    assert chip.watch.baud == FIRMWARE


@pytest.mark.parametrize("baud", [ROM, FIRMWARE, 38_400])
def test_a_speed_that_was_asked_for_stays(baud: int) -> None:
    chip = Chip(Watch(baud)).says(BOOT, ROM).rests(0.2).says(PROMPT * 3, FIRMWARE).says(BOOT, ROM)

    assert (speeds(chip.events), speeds(chip.watch.restart(9))) == ([], [])
    told = [text for text in notes(chip.events) if text.startswith("unreadable")]
    assert told == [f"unreadable at {baud} baud: the boot ROM prints at 74880, most firmware at 115200"]


def test_a_speed_that_was_chosen_stays() -> None:
    watch = Watch()

    assert watch.next_speed() == FIRMWARE
    watch.speed_is(FIRMWARE, 0, chosen=True)
    assert watch.next_speed() == 9600
    assert speeds(Chip(watch).says(BOOT * 2, ROM).events) == []
    assert Watch(57_600).next_speed() == ROM


@pytest.mark.parametrize(
    "data",
    [
        b"\0" * 4 + BOOT,
        "\u4f60\u597d\uff0c\u4e16\u754c 23.5 \u00b0C\r\n".encode() * 20,
        b"\x1b[0;32mI (29) boot: ok\x1b[0m\r\n\x08 \x08\x07\t" * 20,
        b"\xff\xfe" + BOOT,
    ],
    ids=["no-power", "utf-8", "colours", "glitch"],
)
def test_what_is_no_noise(data: bytes) -> None:
    assert speeds(Watch().feed(data, 1)) == []
