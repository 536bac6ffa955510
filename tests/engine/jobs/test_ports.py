"""The job ``ports``: what is told of the ports that are there."""

from __future__ import annotations

from dataclasses import replace

from imgtool.device.host_ports import PortInfo
from imgtool.device.port_errors import BusyPortError
from imgtool.engine.jobs.ports import CURE, ports
from imgtool.engine.results import Row, Tone, Toned

ADAPTER = PortInfo(
    path="/dev/ttyUSB0",
    adapter="CH340",
    driver="ch341-uart",
    vid=0x1A86,
    pid=0x7523,
    serial_number=None,
    product="USB Serial",
    likely=True,
)
OTHER = replace(
    ADAPTER, path="/dev/ttyACM0", adapter=None, product="A modem with a very long name", likely=False
)


def test_a_row_a_port() -> None:
    result = ports([ADAPTER, OTHER])

    (table,) = result.words.tables
    assert result.words.verdict == "2 serial ports"
    assert table.rows == (
        (Toned("/dev/ttyUSB0", Tone.GOOD), "CH340", "1a86:7523", "ch341-uart"),
        ("/dev/ttyACM0", "A modem with a very l...", "1a86:7523", "ch341-uart"),
    )
    assert (result.ok, result.code, result.words.notes, result.outputs) == (True, 0, (), ())


def test_why_one_cannot_be_opened_comes_with_its_cure() -> None:
    failure = BusyPortError("in use by picocom (pid 812)", source=ADAPTER.path, program="picocom", pid=812)
    result = ports([replace(ADAPTER, failure=failure)])

    assert result.words.rows == (
        Row("/dev/ttyUSB0", "cannot be opened: in use by picocom (pid 812)"),
        Row(CURE, "end picocom (pid 812), or choose another port"),
    )
    assert result.document["results"][0]["problem"]["message"] == failure.message


def test_ports_of_other_things_are_said_to_be_that() -> None:
    result = ports([OTHER])

    assert (result.ok, result.code) == (True, 0)
    assert list(result.words.notes) == result.document["warnings"]
    assert "none of them" in result.words.notes[0]


def test_none_is_a_no() -> None:
    result = ports([])

    assert (result.ok, result.code, result.words.tables) == (False, 1, ())
    assert result.words.verdict == "no serial port is there."
    assert [row.name for row in result.words.rows] == [CURE]
    assert result.document["warnings"] == ["no serial port is there"]
