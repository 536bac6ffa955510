"""``imgtool ports``: the table, the document, the exit code; the cures that errors of ports come with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imgtool.cli.commands.board.ports import cure_of
from imgtool.device import port
from imgtool.device.port import PortInfo, PortProblem, UnusablePortError
from imgtool.errors import PortError
from tests.support import Command


def failure(reason: str, message: str = "it is so", **facts: object) -> UnusablePortError:
    return UnusablePortError(message, PortProblem(reason), source="/dev/ttyUSB0", facts=facts)


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


CLOSED = failure(
    "permission",
    "no permission to open it: it belongs to group dialout, and this user is not in it",
    group="dialout",
    member=False,
    in_session=False,
)
TAKEN = failure("busy", "in use by picocom (pid 812)", program="picocom", pid=812)
PC = PortInfo("/dev/ttyS0", None, None, None, None, None, None, likely=False)
MODEM = PortInfo(
    "/dev/ttyACM0", None, "cdc_acm", 0x1199, 1, None, "A modem with a very long name", likely=False
)


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[PortInfo]:  # noqa: ARG001 - no colour
    """The ports that are there."""
    found: list[PortInfo] = []
    monkeypatch.setattr(port, "list_ports", lambda: tuple(found))
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
    there += [PortInfo("/dev/ttyACM0", None, None, 1, 1, None, "\x1b[2Jbad", likely=False)]

    assert "\x1b" not in imgtool("ports").out


def test_the_real_list(imgtool: Command) -> None:
    assert imgtool("ports").code in {0, 1}


CURES: dict[str, tuple[PortError, str | None]] = {
    "missing": (failure("missing", ports=[]), "imgtool ports shows what is there"),
    "brltty": (failure("missing", ports=[], suspect="brltty"), "sudo apt remove brltty"),
    "stranger": (CLOSED, "sudo usermod -aG dialout $USER"),
    "new-member": (
        failure("permission", group="uucp", member=True, in_session=False),
        "log out and in again: group uucp",
    ),
    "member": (failure("permission", group="uucp", member=True, in_session=True), "udev rule"),
    "root-group": (failure("permission", group="root", member=False, in_session=False), "udev rule"),
    "no-group": (failure("permission"), "udev rule"),
    "held": (TAKEN, "end picocom (pid 812)"),
    "modem-manager": (failure("busy", program="ModemManager", pid=3), "sudo systemctl stop ModemManager"),
    "perhaps-modem-manager": (failure("busy", suspect="ModemManager"), "sudo systemctl stop ModemManager"),
    "held-by-nobody-knows": (failure("busy"), "close the serial monitor"),
    "not-a-port": (failure("not-a-port"), "imgtool ports shows the names"),
    "refused": (failure("refused"), "start the server"),
    "several": (failure("several", ports=["a", "b"]), "--port"),
    "lost": (failure("lost"), "plug it in again"),
    "lost-to-another": (failure("lost", program="cat", pid=9), "end cat (pid 9)"),
    "other": (failure("other"), "unplug it and plug it in again"),
    "nothing-known": (PortError("no"), None),
}


@pytest.mark.parametrize(("error", "cure"), CURES.values(), ids=CURES)
def test_cures(error: PortError, cure: str | None) -> None:
    found = cure_of(error)

    assert (found is None) if cure is None else (found is not None and cure in found)


def test_nobody_is_told_to_join_a_mighty_group() -> None:
    for group in ("root", "wheel", "sudo"):
        assert "usermod" not in str(cure_of(failure("permission", group=group, member=False)))


@pytest.mark.parametrize("reason", PortProblem)
def test_every_reason_has_a_cure(reason: PortProblem) -> None:
    assert cure_of(failure(reason))


def test_an_error_carries_its_cure(imgtool: Command, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    def fail() -> Any:  # noqa: ANN401 - it never returns
        raise TAKEN

    monkeypatch.chdir(folder)
    monkeypatch.setattr(port, "list_ports", fail)

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
