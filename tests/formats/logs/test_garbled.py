"""Logs at a wrong speed, from a receiver that is written a second time here, and from a real board."""

from __future__ import annotations

from random import Random
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgtool.formats.logs.garbled import is_rom_noise, speeds_of
from imgtool.formats.logs.serial_line import heard_at
from tests.boot_logs import BANNER, LOADED, MB4, RF, SDK

ROM: Final = "\n" + BANNER + LOADED + MB4 + RF.format(507) + SDK
FIRMWARE: Final = (
    "Booting...\r\nSketch v1.2, LCD found, SD card mounted, 3 files\r\nFetching the weather of today ...\r\n"
    "The kitchen has 19 degrees. Battery 3.92 V. Next update at 18:30.\r\nlua: init.lua:12: "
    "attempt to call global 'foo' (a nil value)\r\nstack traceback:\r\n\t[C]: in function 'dofile'\r\n"
) * 2


def received(text: str, sent: int, heard: int) -> bytes:
    """The same receiver, as a line of levels that is looked at 16 times in each of its bits."""
    frames = [[0, *(byte >> bit & 1 for bit in range(8)), 1] for byte in text.encode("latin-1")]
    levels = [level for frame in frames for level in frame]
    step = sent / heard / 16  # bits of the sender in a tick of the receiver

    def level(tick: int) -> int:
        at = int(tick * step)
        return levels[at] if at < len(levels) else 1

    found = bytearray()
    tick, end = 0, int(len(levels) / step) + 1
    while tick < end:
        if level(tick) == 1:
            tick += 1
            continue
        found.append(sum(level(tick + 24 + 16 * bit) << bit for bit in range(8)))
        tick += 152  # the middle of the stop bit
        while tick < end and level(tick) == 0:
            tick += 1  # a break, or a frame that ends too late
    return bytes(found)


PAIRS: Final = [
    (74880, 115200, ROM),
    (74880, 57600, ROM),
    (74880, 38400, ROM),
    (74880, 19200, ROM),
    (74880, 230400, ROM),
    (115200, 74880, ROM),
    (115200, 74880, FIRMWARE),
    (115200, 57600, FIRMWARE),
    (115200, 38400, FIRMWARE),
    (9600, 115200, FIRMWARE[:60]),
    (9600, 74880, FIRMWARE[:60]),
    (57600, 74880, FIRMWARE),
    (38400, 115200, FIRMWARE[:200]),
]


@pytest.mark.parametrize(("sent", "heard", "text"), PAIRS, ids=lambda value: str(value)[:8])
@pytest.mark.parametrize("receiver", [received, lambda text, *pair: heard_at(text.encode("latin-1"), *pair)])
def test_both_receivers_are_told(receiver: object, sent: int, heard: int, text: str) -> None:
    assert callable(receiver)
    noise = receiver(text, sent, heard).decode("latin-1")
    first = speeds_of(noise)[0]

    assert (first.sent, first.heard, first.rom) == (sent, heard, text.startswith("\n"))
    assert (first.likelihood >= 0.9) == (0.45 <= sent / heard <= 2.5)


def jittered(text: str, sent: int, heard: int, broken: int | None, random: Random) -> bytes:
    """A receiver that is never quite right; a byte of its own, or none, stands for a missing stop bit."""
    levels = [bit for byte in text.encode() for bit in (0, *(byte >> at & 1 for at in range(8)), 1)]
    ratio = sent / heard * random.uniform(0.98, 1.02)
    found = bytearray()
    at = 0.0
    while at < len(levels):
        if levels[int(at)]:
            at = int(at) + 1.0
            continue
        looks = [at + ratio * (bit + 0.5 + random.uniform(-0.05, 0.05)) for bit in range(1, 10)]
        bits = [levels[int(look)] if look < len(levels) else 1 for look in looks]
        if bits.pop():
            found.append(sum(bit << place for place, bit in enumerate(bits)))
        elif broken is not None:
            found.append(broken)
        at += 9.5 * ratio
        while at < len(levels) and not levels[int(at)]:
            at = int(at) + 1.0
    return bytes(found)


@pytest.mark.parametrize(
    "broken", [None, *(pytest.param(b, marks=pytest.mark.long) for b in (0x00, 0x80)), 0xFF]
)
@pytest.mark.parametrize("sent", [9600, 57600, 74880, 115200, 230400, 921600])
@pytest.mark.parametrize("text", [ROM, FIRMWARE], ids=["ROM", "firmware"])
def test_never_sure_and_wrong(text: str, sent: int, broken: int | None) -> None:
    for heard in (9600, 57600, 74880, 115200, 230400, 921600):
        noise = jittered(text, sent, heard, broken, Random(heard))
        found = speeds_of(noise.decode("latin-1")) if heard != sent else ()

        if found and found[0].likelihood >= 0.9:
            assert found[0].sent / found[0].heard == pytest.approx(sent / heard, rel=0.06)


def test_speeds_of_nearly_the_same_ratio_are_both_told() -> None:
    found = speeds_of(received(FIRMWARE, 115200, 230400).decode("latin-1"))

    assert {each[:2] for each in found[:2]} == {(115200, 230400), (38400, 74880)}
    assert max(each.likelihood for each in found) < 0.9


def test_a_much_faster_line_is_told_if_at_all() -> None:
    """At such a ratio each bit that is heard is one of eight, and receivers differ in which."""
    ours = speeds_of(heard_at(ROM.encode() * 3, 74880, 9600).decode("latin-1"))
    theirs = speeds_of(received(ROM * 3, 74880, 9600).decode("latin-1"))

    assert ours[0][:3] == (74880, 9600, True)
    assert theirs == ()


def test_the_receivers_agree() -> None:
    """Where a sample falls beside an edge they may differ, and then until they are in step again."""
    ours = heard_at(ROM.encode(), 74880, 115200)
    theirs = received(ROM, 74880, 115200)
    together = {ours[at : at + 4] for at in range(len(ours))} & {
        theirs[at : at + 4] for at in range(len(theirs))
    }

    assert len(together) > 0.33 * len({theirs[at : at + 4] for at in range(len(theirs))})


# From https://github.com/nodemcu/nodemcu-firmware/issues/3442: the SDK's lines at 74880 baud, read at 115200
# and saved as UTF-8, in which what is no ASCII was lost.
REAL: Final = (
    "\ufffdr\ufffd\ufffdnl\ufffdl\ufffdl\ufffdn~b\ufffdb\ufffd\ufffdnrn\ufffdn~b$l\ufffd$`\ufffdnn\ufffdnn\ufffd"
    "\ufffd\ufffd`~\ufffd\ufffdnn\ufffd\ufffd\ufffd`~\ufffdb\ufffdnn\ufffd\ufffd\ufffd`\ufffd\ufffdn\ufffdr"
)


def test_real_noise_with_replacement_characters() -> None:
    first = speeds_of(REAL)[0]

    assert (first.sent, first.heard, first.rom) == (74880, 115200, True)
    assert is_rom_noise(REAL)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_noise_that_a_terminal_saved_as_text(encoding: str) -> None:
    noise = heard_at(ROM.encode(), 74880, 115200).decode(encoding, "replace")

    assert speeds_of(noise)[0][:3] == (74880, 115200, True)


@settings(max_examples=40)
@given(st.integers(0, 1 << 30), st.integers(0, 200))
def test_random_bytes_fit_no_pair(seed: int, size: int) -> None:
    assert speeds_of(Random(seed).randbytes(size).decode("latin-1")) == ()


@settings(max_examples=40)
@given(st.text(max_size=100))
def test_any_text(text: str) -> None:
    found = speeds_of(text)

    assert sum(each.likelihood for each in found) <= 1.001
    assert list(found) == sorted(found, key=lambda each: -each.likelihood)


def test_readable_text_is_no_noise_of_the_rom() -> None:
    assert not is_rom_noise(FIRMWARE)
    assert not is_rom_noise(ROM)


def test_too_little_is_not_judged() -> None:
    assert speeds_of("\x82\xe0l") == ()
