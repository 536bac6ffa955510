"""Reset sequences: what they do to a chip, in which order they are tried, how users write them."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import serial
from hypothesis import given
from hypothesis import strategies as st

from imgtool.device import reset
from imgtool.device.adapters import ADAPTERS
from imgtool.device.port import SerialWire, open_serial
from imgtool.device.port_errors import UnusablePortError
from imgtool.device.reset import (
    APART,
    APART_DTR,
    APART_RTS,
    CLASSIC,
    CLASSIC_LONG,
    HARD_RESET,
    TIGHT,
    TIGHT_LONG,
    WITHOUT_RESET,
    Sequence,
    Step,
    approach_for,
    parse_sequence,
    play,
)
from imgtool.device.wire import Lines, WireTraits
from imgtool.errors import FormatError
from imgtool.virtual.chip.machine import Activity
from imgtool.virtual.line.port import SimPort, open_port
from tests.rom_host import SYNC, SYNC_REPLY
from tests.simulated import Device
from tests.support import IMAGES

CLASSIC_TEXT = "D0|R1|W0.1|D1|R0|W0.05|D0"
TIGHT_TEXT = "U0,0|U1,1|U0,1|W0.1|U1,0|W0.05|U0,0|D0"
INTO_LOADER = [
    APART,
    APART_RTS,
    APART_DTR,
    CLASSIC,
    CLASSIC_LONG,
    TIGHT,
    TIGHT_LONG,
    parse_sequence(CLASSIC_TEXT),
]


def running(folder: Path) -> SimPort:
    """A chip that runs a firmware from flash."""
    flash = folder / "flash.bin"
    flash.write_bytes(IMAGES["dumps/nodemcu-2.2-4m.bin"])
    return open_port(f"sim:4MB,flash={flash},boot=run", baudrate=115200, timeout=2)


@pytest.mark.parametrize("sequence", INTO_LOADER, ids=lambda sequence: sequence.name)
def test_into_the_loader_from_a_running_firmware(tmp_path: Path, sequence: Sequence) -> None:
    port = running(tmp_path)
    port.read(1 << 16)
    port.reset_input_buffer()
    before = port.clock.monotonic()

    play(sequence, port.wire)

    assert port.clock.monotonic() - before == pytest.approx(sequence.seconds)
    assert port.chip.activity is Activity.LOADER
    port.read(1 << 16)
    port.write(SYNC)
    assert port.read(len(SYNC_REPLY) * 8) == SYNC_REPLY * 8
    port.close()


def test_hard_reset_boots_from_flash(tmp_path: Path) -> None:
    port = running(tmp_path)
    play(CLASSIC, port.wire)
    assert port.chip.activity is Activity.LOADER
    port.read(1 << 16)
    port.baudrate = 74880

    play(HARD_RESET, port.wire)

    assert b"boot mode:(3,6)" in port.read(1 << 16)
    assert port.chip.resets["external"] == 2
    port.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning:serial")
@pytest.mark.skipif(sys.platform == "win32", reason="the device ends by a signal")
def test_over_a_network(tmp_path: Path) -> None:
    with Device(tmp_path, "rfc2217://127.0.0.1:0", ("--boot", "run"), size="1MB") as device:
        wire = open_serial(device.address)
        assert (wire.traits.lines, wire.traits.baud) == (Lines.SLOW, True)
        (sequence, *_) = approach_for(wire).sequences
        quick = replace(sequence, steps=tuple(replace(step, wait=0.0) for step in sequence.steps))
        play(quick, wire)
        wire.write(SYNC)
        heard = b""
        for _ in range(200):
            heard += wire.read(256, 0.05)
            if SYNC_REPLY * 8 in heard:
                break
        wire.close()
    assert SYNC_REPLY * 8 in heard
    assert device.report["resets"]["external"] == 1


def test_nothing_is_played_where_no_lines_are() -> None:
    dumb = SerialWire("socket://x:1", None, WireTraits(baud=False, lines=Lines.NONE))

    play(TIGHT, dumb)

    assert approach_for(dumb) == approach_for(dumb, CLASSIC) == WITHOUT_RESET
    assert WITHOUT_RESET.sequences == ()


def test_a_port_that_goes_away_meanwhile() -> None:
    class Gone:
        dtr = rts = False

        def __setattr__(self, name: str, value: object) -> None:
            raise serial.SerialException("gone")

    for lines, sequence in ((Lines.APART, CLASSIC), (Lines.TOGETHER, TIGHT)):
        wire = SerialWire("COM3", Gone(), WireTraits(lines=lines))
        with pytest.raises(UnusablePortError, match="COM3: the port is lost"):
            play(sequence, wire)


@pytest.mark.parametrize(("lines", "expected"), [(Lines.APART, "rdrd"), (Lines.SLOW, "rr")])
def test_dtr_is_written_again_after_rts(lines: Lines, expected: str) -> None:
    class Noting:
        def __init__(self) -> None:
            self.__dict__.update(dtr=False, rts=False, seen="")

        def __setattr__(self, name: str, value: bool) -> None:
            self.__dict__["seen"] += name[0]
            self.__dict__[name] = value

    port = Noting()
    wire = SerialWire("x", port, WireTraits(lines=lines))

    play(Sequence("quick", (Step(rts=True), Step(rts=False))), wire)

    assert port.__dict__["seen"] == expected


@pytest.mark.parametrize(
    ("lines", "expected", "asks"),
    [
        (Lines.TOGETHER, [(TIGHT, TIGHT_LONG, CLASSIC, CLASSIC_LONG), (TIGHT_LONG, CLASSIC_LONG)], False),
        (Lines.APART, [(APART, APART_RTS, APART_DTR), (APART,)], True),
        (Lines.SLOW, [(CLASSIC_LONG, CLASSIC), (CLASSIC_LONG, CLASSIC)], False),
    ],
)
def test_the_order_of_attempts(lines: Lines, expected: list[tuple[Sequence, ...]], asks: bool) -> None:
    wire = SerialWire("x", None, WireTraits(lines=lines))
    approach = approach_for(wire)

    assert ([each.sequences for each in approach.rounds], approach.asks) == (expected, asks)
    assert {each.sequences for each in approach_for(wire, HARD_RESET).rounds} == {(HARD_RESET,)}


@pytest.mark.parametrize("lines", Lines)
def test_patience_grows(lines: Lines) -> None:
    rounds = approach_for(SerialWire("x", None, WireTraits(lines=lines))).rounds

    assert [each.patience for each in rounds] == sorted(each.patience for each in rounds)


def test_an_adapter_that_keeps_dtr() -> None:
    (adapter,) = (adapter for adapter in ADAPTERS if not adapter.releases_dtr)
    wire = SerialWire("x", None, WireTraits(lines=Lines.TOGETHER, adapter=adapter))

    for sequence in approach_for(wire).sequences:
        assert sequence.steps[-1].rts is False
        assert sequence.steps[-1].dtr is not False


@pytest.mark.parametrize(("text", "sequence"), [(CLASSIC_TEXT, CLASSIC), (TIGHT_TEXT, TIGHT)])
def test_the_ready_made_ones_can_be_written(text: str, sequence: Sequence) -> None:
    def merged(steps: tuple[Step, ...]) -> list[tuple[bool | None, bool | None] | float]:
        found: list[tuple[bool | None, bool | None] | float] = []
        for step in steps:
            found += [(step.dtr, step.rts)] if (step.dtr, step.rts) != (None, None) else []
            found += [step.wait] if step.wait else []
        return found

    assert merged(parse_sequence(text).steps) == merged(sequence.steps)


@pytest.mark.parametrize(
    ("text", "offset", "found"),
    [
        ("", 0, None),
        ("D0|", 3, None),
        ("D0|D2", 3, "D2"),
        ("D0||R1", 3, None),
        ("R1|W-1", 3, "W-1"),
        ("Wnan", 0, "Wnan"),
        ("W1e3", 0, "W1e3"),
        ("U1", 0, "U1"),
        ("d0", 0, "d0"),
    ],
)
def test_what_is_no_sequence(text: str, offset: int, found: str | None) -> None:
    with pytest.raises(FormatError, match="no step of a reset sequence") as caught:
        parse_sequence(text)

    assert (caught.value.offset, caught.value.found) == (offset, found)


def test_a_wait_of_more_than_a_minute() -> None:
    assert parse_sequence("W60").seconds == 60
    with pytest.raises(FormatError, match="cannot wait that long"):
        parse_sequence("D0|W61")


ITEMS = st.sampled_from(["D0", "D1", "R0", "R1", "U0,0", "U0,1", "U1,0", "U1,1", "W0.1", "W5", " D0 "])


@given(items=st.lists(ITEMS, min_size=1, max_size=12))
def test_every_item_is_a_step(items: list[str]) -> None:
    assert len(parse_sequence("|".join(items)).steps) == len(items)


@given(text=st.text("DRUW01,.|5 ", max_size=20))
def test_any_text_is_a_sequence_or_a_format_error(text: str) -> None:
    try:
        assert parse_sequence(text).steps
    except FormatError as error:
        assert error.source == text  # noqa: PT017 - both outcomes are right


def test_the_module_offers_what_it_says() -> None:
    assert all(getattr(reset, name) for name in reset.__all__)
