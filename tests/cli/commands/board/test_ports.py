"""``imgtool ports``: the table, the document, the exit code, and what its errors come with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imgtool.device import port_list
from imgtool.device.host_ports import PortInfo
from imgtool.device.port_errors import (
    BusyPortError,
    ForbiddenPortError,
    UnusablePortError,
)
from tests.support import Command


def info(path: str, adapter: str | None = "CH340", problem: UnusablePortError | None = None) -> PortInfo:
    return PortInfo(
        path=path,
        adapter=adapter,
        driver="ch341-uart",
        vid=0x1A86,
        pid=0x7523,
        serial_number=None,
        product="USB Serial",
        likely=adapter is not None,
        failure=problem,
    )


CLOSED = ForbiddenPortError(
    "no permission to open it: it belongs to group dialout, and this user is not in it",
    source="/dev/ttyUSB0",
    group="dialout",
    member=False,
    in_session=False,
)
TAKEN = BusyPortError("in use by picocom (pid 812)", source="/dev/ttyUSB0", program="picocom", pid=812)
PC = PortInfo(
    path="/dev/ttyS0",
    adapter=None,
    driver=None,
    vid=None,
    pid=None,
    serial_number=None,
    product=None,
    likely=False,
)
MODEM = PortInfo(
    path="/dev/ttyACM0",
    adapter=None,
    driver="cdc_acm",
    vid=0x1199,
    pid=1,
    serial_number=None,
    product="A modem with a very long name",
    likely=False,
)


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[PortInfo]:  # noqa: ARG001 - no colour
    """The ports that are there."""
    found: list[PortInfo] = []
    monkeypatch.setattr(port_list, "list_ports", lambda: tuple(found))
    return found


def test_the_table(imgtool: Command, there: list[PortInfo]) -> None:
    there += [info("/dev/ttyUSB0", problem=CLOSED), info("/dev/ttyUSB1", problem=TAKEN), MODEM, PC]

    run = imgtool("ports")

    assert (run.code, run.err) == (0, "")
    assert run.out == (
        "  port          adapter                   USB id     driver\n"
        "  /dev/ttyUSB0  CH340                     1a86:7523  ch341-uart\n"
        "  /dev/ttyUSB1  CH340                     1a86:7523  ch341-uart\n"
        "  /dev/ttyACM0  A modem with a very l...  1199:0001  cdc_acm\n"
        "  /dev/ttyS0    not USB\n"
        "\n"
        "/dev/ttyUSB0  cannot be opened: no permission to open it: it belongs to group\n"
        "              dialout, and this user is not in it\n"
        "  cure  sudo usermod -aG dialout $USER, then log out and in again\n"
        "\n"
        "/dev/ttyUSB1  cannot be opened: in use by picocom (pid 812)\n"
        "  cure  end picocom (pid 812), or choose another port\n"
    )


def test_no_port_is_a_no(imgtool: Command, there: list[PortInfo]) -> None:
    run = imgtool("ports")
    document = imgtool("ports", "--json")

    assert there == []
    assert (run.code, run.err, document.code, document.err) == (1, "", 1, "")
    assert run.out == (
        "no serial port is there.\n"
        "  cure  plug the board in with a cable that has data lines, and install the\n"
        "        driver of its adapter\n"
    )
    assert json.loads(document.out) == {
        "schema": 1,
        "command": "ports",
        "ok": False,
        "results": [],
        "warnings": ["no serial port is there"],
    }


@pytest.mark.usefixtures("there")
def test_ports_of_other_things(imgtool: Command, there: list[PortInfo]) -> None:
    there += [PC]

    run = imgtool("ports")

    assert run.code == 0
    assert "none of them is a USB serial adapter that imgtool knows" in run.out


def test_the_document(imgtool: Command, there: list[PortInfo]) -> None:
    there += [info("/dev/ttyUSB0", problem=CLOSED), PC]

    run = imgtool("ports", "--json")

    assert (run.code, run.err) == (0, "")
    found = json.loads(run.out)
    assert (found["ok"], found["warnings"]) == (True, [])
    assert found["results"] == [
        {
            "path": "/dev/ttyUSB0",
            "adapter": "CH340",
            "driver": "ch341-uart",
            "vid": 0x1A86,
            "pid": 0x7523,
            "serial_number": None,
            "product": "USB Serial",
            "likely": True,
            "problem": {
                "message": CLOSED.message,
                "hint": "sudo usermod -aG dialout $USER, then log out and in again",
                "reason": "permission",
                "group": "dialout",
                "member": False,
                "in_session": False,
            },
        },
        {
            "path": "/dev/ttyS0",
            "adapter": None,
            "driver": None,
            "vid": None,
            "pid": None,
            "serial_number": None,
            "product": None,
            "likely": False,
            "problem": None,
        },
    ]


def test_a_name_out_of_a_device_is_shown_and_not_obeyed(imgtool: Command, there: list[PortInfo]) -> None:
    there += [
        PortInfo(
            path="/dev/ttyACM0",
            adapter=None,
            driver=None,
            vid=1,
            pid=1,
            serial_number=None,
            product="\x1b[2Jbad",
            likely=False,
        )
    ]

    assert "\x1b" not in imgtool("ports").out


def test_the_real_list(imgtool: Command) -> None:
    assert imgtool("ports").code in {0, 1}


def test_an_error_carries_its_cure(imgtool: Command, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    def fail() -> Any:  # noqa: ANN401 - it never returns
        raise TAKEN

    monkeypatch.chdir(folder)
    monkeypatch.setattr(port_list, "list_ports", fail)

    told, document = imgtool("ports"), imgtool("ports", "--json")

    assert (told.code, told.out, document.code, document.out) == (5, "", 5, "")
    assert told.err == (
        "error: /dev/ttyUSB0: in use by picocom (pid 812)\n"
        "hint:  end picocom (pid 812), or choose another port\n"
    )
    assert json.loads(document.err)["error"] == {
        "type": "UnusablePortError",
        "message": "/dev/ttyUSB0: in use by picocom (pid 812)",
        "hint": "end picocom (pid 812), or choose another port",
        "source": "/dev/ttyUSB0",
        "reason": "busy",
        "program": "picocom",
        "pid": 812,
    }
