"""Ports that change DTR and RTS one after the other, as Windows and browsers do: what of a board they reach.

The board is the virtual one: its reset circuit is modelled, and was compared with none.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from imgtool.device import reset
from imgtool.device.adapters import ADAPTERS
from imgtool.device.port_errors import LostPortError
from imgtool.device.session import ConnectOptions, Session
from imgtool.device.wire import Lines, WireTraits
from imgtool.engine.hints import hint_for
from imgtool.errors import LineError, SilentError
from imgtool.virtual.chip.machine import Activity
from imgtool.virtual.line.wire import open_sim
from tests.device.boards import Apart
from tests.support import IMAGES

if TYPE_CHECKING:
    from pathlib import Path

    from imgtool.device.events import Event

GAPS = (0, 1, 2.5, 5, 20, 50)  # ms
PATIENT = ConnectOptions(stub="none")


KINDS = {
    "dtr-first": ("dr", False),
    "rts-first": ("rd", False),
    "each-takes-its-time": ("dr", True),
}
BETWEEN = ("dtr-first", "rts-first")


def apart(spec: str, gap: float, kind: str = "dtr-first") -> Apart:
    """A port with so many milliseconds between its lines."""
    order, each = KINDS[kind]
    return Apart(open_sim(spec), gap / 1000, order, each)


def nothing(data: bytes) -> None:
    """Nobody listens."""


def running(folder: Path, name: str = "dumps/nodemcu-2.2-4m.bin", more: str = "") -> str:
    """The name of a chip that runs a firmware from flash."""
    flash = folder / "flash.bin"
    flash.write_bytes(IMAGES[name].ljust(0x40_0000, b"\xff"))
    return f"sim:4MB,flash={flash},boot=run{more}"


def resets(wire: Apart) -> int:
    return wire.sim.chip.resets.get("external", 0)


def settled(wire: Apart) -> Apart:
    """The port when the firmware behind it has started."""
    wire.clock.sleep(5)
    wire.discard()
    assert wire.sim.chip.activity is Activity.APPLICATION
    return wire


def silence(wire: Apart, options: ConnectOptions = PATIENT) -> SilentError:
    with pytest.raises(SilentError) as caught:
        Session.connect(wire, options)
    return caught.value


# What is reached.


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("gap", "rise"), [(0, 60), (1, 20), (5, 20), (20, 60), (50, 60), (50, 400)])
def test_a_board_whose_en_rises_late_is_reached_from_its_firmware(
    tmp_path: Path, gap: float, rise: int, kind: str
) -> None:
    wire = settled(apart(running(tmp_path, more=f",rise={rise}"), gap, kind))

    assert Session.connect(wire, PATIENT).reset_used == "apart"
    assert resets(wire) == 1
    wire.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gap", [gap for gap in GAPS if gap < 3])
def test_a_usual_board_is_reached_by_lines_that_follow_soon(tmp_path: Path, gap: float, kind: str) -> None:
    wire = settled(apart(running(tmp_path), gap, kind))

    assert Session.connect(wire, PATIENT).reset_used == "apart"
    wire.close()


@pytest.mark.parametrize(("kind", "way"), [("dtr-first", "apart-rts"), ("rts-first", "apart-dtr")])
@pytest.mark.parametrize("gap", [gap for gap in GAPS if gap > 3])
def test_a_usual_board_is_reached_round_the_gap_between_the_lines(
    tmp_path: Path, gap: float, kind: str, way: str
) -> None:
    wire = settled(apart(running(tmp_path), gap, kind))

    assert Session.connect(wire, PATIENT).reset_used == way
    wire.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gap", GAPS)
def test_a_chip_that_waits_in_its_loader_is_not_reset(gap: float, kind: str) -> None:
    wire = apart("sim:4MB", gap, kind)
    session = Session.connect(wire, PATIENT)

    assert (session.reset_used, resets(wire)) == ("none", 0)
    assert session.run_firmware()


@pytest.mark.parametrize("kind", BETWEEN)
@pytest.mark.parametrize("gap", GAPS)
def test_an_empty_flash_is_reached(gap: float, kind: str) -> None:
    wire = apart("sim:4MB,boot=run", gap, kind)
    wire.clock.sleep(5)

    assert Session.connect(wire, PATIENT).chip.model == "ESP8266EX"


@pytest.mark.parametrize("gap", [5, 50])
def test_a_firmware_that_restarts_by_itself_is_caught(tmp_path: Path, gap: float) -> None:
    wire = apart(running(tmp_path, "boot/boot-1.6-user1.bin"), gap, "each-takes-its-time")
    wire.clock.sleep(0.3)

    assert Session.connect(wire, PATIENT).reset_used == "apart"
    wire.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gap", GAPS)
def test_a_board_with_its_lines_wired_directly_is_reached(tmp_path: Path, gap: float, kind: str) -> None:
    def directly(dtr: bool, rts: bool) -> tuple[bool, bool]:
        # EN low whenever RTS is asserted; GPIO0 matters only where it is not.
        return (False, True) if rts else (dtr, False)

    wire = settled(apart(running(tmp_path), gap, kind))
    wire.wiring = directly

    assert Session.connect(wire, PATIENT).reset_used in ("apart", "apart-rts", "apart-dtr")
    wire.close()


def test_a_work_is_done_over_such_a_port(tmp_path: Path) -> None:
    wire = settled(apart(running(tmp_path), 20))
    with Session.connect(wire, ConnectOptions(stub="imgtool")) as session:
        session.flasher.erase(0, 0x1000)
        assert session.flasher.read(0, 0x100, lambda _: None) == b"\xff" * 0x100


# What is not, and what is said then.


@pytest.mark.parametrize("gap", [5, 20, 50])
def test_what_no_line_can_reach_is_told_soon(tmp_path: Path, gap: float) -> None:
    wire = settled(apart(running(tmp_path), gap, "each-takes-its-time"))
    before = wire.clock.monotonic()

    error = silence(wire)

    # What the port itself takes for its lines comes on top.
    assert wire.clock.monotonic() - before < 9 + len(wire.states) * gap / 1000
    assert error.message == "the chip does not answer; its port changes DTR and RTS one after the other"
    assert error.data["lines"] == error.lines == "apart"
    assert error.found == (
        "silence after no reset (4 times), apart (2 times), apart-rts (once), apart-dtr (once)"
    )
    assert "1. hold GPIO0 low (button FLASH) while you reset the board" in hint_for(error)
    assert "a capacitor of 1 to 10 uF from EN to GND" in hint_for(error)
    assert wire.states[-1][:2] == (False, False)
    wire.close()


def test_other_ports_say_nothing_of_their_lines() -> None:
    sim = open_sim("sim:1MB,boot=run")
    sim.traits = WireTraits(lines=Lines.NONE)
    for wire, options in (
        (apart("sim:1MB,boot=run", 0), ConnectOptions(reset="none")),
        (Apart(sim), PATIENT),
    ):
        wire.traits = wire.sim.traits
        wire.sim.chip.loader.feed = nothing  # type: ignore[method-assign]
        error = silence(wire, options)
        assert (error.message, error.lines, "lines" in error.data) == (
            "the chip does not answer",
            None,
            False,
        )
        assert "capacitor" not in hint_for(error)


def test_somebody_who_holds_flash_meanwhile_is_heard(tmp_path: Path) -> None:
    wire = settled(apart(running(tmp_path), 50, "each-takes-its-time"))

    def press(event: Event) -> None:
        # When the first reset was in vain, and before the second.
        if event.message == "no reset" and resets(wire) == 1:
            wire.sim.chip.power_on(download=True)

    session = Session.connect(wire, PATIENT, press)

    assert session.reset_used == "none"
    assert resets(wire) == 2  # the first one, and that of the button
    wire.close()


def test_a_stub_that_was_left_running_is_worked_with() -> None:
    wire = apart("sim:1MB", 50, "each-takes-its-time")
    first = Session.connect(wire, ConnectOptions(stub="imgtool", baud=115_200))
    assert first.flasher.name == "imgtool"

    second = Session.connect(wire, ConnectOptions(stub="imgtool", baud=115_200))

    assert (second.reset_used, resets(wire)) == ("none", 0)
    assert second.flasher.read(0, 16, lambda _: None) == b"\xff" * 16


def test_a_stub_that_is_of_no_use_is_reset_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise LineError("the flasher stub does not start")

    monkeypatch.setattr("imgtool.device.session.start_stub", broken)
    wire = apart("sim:1MB", 1)
    session = Session.connect(wire, ConnectOptions(stub="imgtool"))
    assert session.reset_used == "none"

    assert session.flasher.name == "rom"
    assert (session.reset_used, resets(wire) > 0) == ("apart", True)


# The lines.


def test_gpio0_is_low_while_the_chip_is_asked_and_released_after(tmp_path: Path) -> None:
    wire = settled(apart(running(tmp_path), 1))
    asked: list[tuple[bool, bool]] = []
    write = wire.write

    def note(data: bytes) -> None:
        asked.append(wire.states[-1][:2])
        write(data)

    wire.write = note  # type: ignore[method-assign]
    session = Session.connect(wire, PATIENT)

    assert asked[0] == (False, False)  # without a reset
    assert (True, False) in asked
    assert asked[-1] == (False, False)
    assert session.reset_used == "apart"
    wire.close()


@pytest.mark.parametrize("sequence", [reset.APART, reset.APART_RTS, reset.APART_DTR])
def test_one_line_changes_at_a_time_and_none_passes_through_another_reset(sequence: reset.Sequence) -> None:
    wire = apart("sim:1MB", 1)
    reset.play(sequence, wire)

    states = [(dtr, rts) for dtr, rts, _ in wire.states]
    assert all(sum(old != new for old, new in zip(a, b, strict=True)) <= 1 for a, b in pairwise(states))
    held = [number for number, state in enumerate(states) if state == (False, True)]
    assert held == list(range(held[0], held[-1] + 1))
    assert states[-1] == (False, False)


def test_an_interruption_releases_gpio0(tmp_path: Path) -> None:
    wire = settled(apart(running(tmp_path), 1))

    def interrupt(event: Event) -> None:
        if event.message == "apart":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Session.connect(wire, PATIENT, interrupt)
    states = [(dtr, rts) for dtr, rts, _ in wire.states]
    assert states.index((True, False)) > states.index((False, True))
    assert states[-1] == (False, False)
    wire.close()


def test_a_port_that_is_lost_in_a_reset_is_told(tmp_path: Path) -> None:
    wire = settled(apart(running(tmp_path), 1))

    def unplug(event: Event) -> None:
        if event.message == "apart":
            wire.sim.link._gone = True
            wire.sim.link._back_at = wire.sim.clock.ns + 10**12

    with pytest.raises(LostPortError):
        Session.connect(wire, PATIENT, unplug)
    wire.close()


def test_a_sequence_of_the_users_is_all_that_is_tried(tmp_path: Path) -> None:
    wire = settled(apart(running(tmp_path), 50, "each-takes-its-time"))

    error = silence(wire, ConnectOptions(stub="none", reset="D0|R1|W0.1|D1|R0|W0.05|D0", attempts=2))

    assert error.found == "silence after custom (2 times)"
    wire.close()


def test_an_adapter_that_keeps_dtr_keeps_it() -> None:
    (adapter,) = (adapter for adapter in ADAPTERS if not adapter.releases_dtr)
    wire = apart("sim:1MB", 1)
    wire.traits = WireTraits(adapter=adapter)

    assert all(not sequence.release for sequence in reset.approach_for(wire).sequences)
    reset.play(reset.approach_for(wire).sequences[0], wire)
    assert wire.states[-1][:2] == (True, False)
