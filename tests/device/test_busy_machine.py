"""A machine that stops this process for seconds: what a chip has answered meanwhile is no silence."""

from __future__ import annotations

import pytest

from imgtool.device.flash_chip import FlashRegisters
from imgtool.device.link import Link
from imgtool.device.protocol import read_register
from imgtool.device.wire import Lines, Wire, WireTraits
from imgtool.errors import ChipError, LineError
from tests.device.boards import connect, flash_of, wire_to
from tests.rom_host import frame, words

STALL = 60.0  # seconds, more than any answer is waited for


class Port(Wire):
    """A port and its clock; after each look at what has come the machine stands still.

    Attributes:
        answers: What the chip answers to each request, at once.
    """

    def __init__(self, *answers: bytes) -> None:
        self.name = "port"
        self.clock = self
        self.traits = WireTraits(lines=Lines.NONE)
        self.answers = list(answers)
        self.now = 0.0
        self._coming = b""
        self._waiting = b""

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def write(self, data: bytes) -> None:
        assert data
        self._coming = self.answers.pop(0)

    def discard(self) -> None:
        self._waiting = b""

    def set_baud(self, baud: int) -> None:
        raise NotImplementedError

    def set_lines(self, dtr: bool, rts: bool) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing to close."""

    def read(self, size: int, timeout: float) -> bytes:
        assert 0 <= timeout < STALL
        data, self._waiting = self._waiting[:size], self._waiting[size:]
        # What is on its way comes while nobody looks.
        self._waiting, self._coming = self._waiting + self._coming, b""
        self.now += STALL
        return data


def link_to(port: Port) -> Link:
    return Link(port)


def register(value: int) -> bytes:
    """A reply to READ_REG."""
    return frame(b"\x01\x0a\x02\x00" + words(value) + b"\x00\x00")


def test_an_answer_that_waits_is_read_before_it_is_missed() -> None:
    port = Port(register(0x1234))

    assert link_to(port).request(read_register(0x4000_1000)).value == 0x1234
    assert port.now == 2 * STALL


def test_no_answer_is_missed_after_one_more_look() -> None:
    port = Port(b"")

    with pytest.raises(LineError, match="does not answer"):
        link_to(port).exchange(read_register(0x4000_1000))
    assert port.now == 2 * STALL


def test_what_came_by_the_end_is_heard() -> None:
    port = Port(b"NodeMCU")
    link = link_to(port)
    port.write(b"?")

    assert [link.hear(0.01) for _ in range(2)] == [b"N", b"odeMCU"]
    assert link.hear(0) == b""


def test_an_erase_that_has_ended_meanwhile_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = wire_to("sim:1MB,timing=maximum", bytes(0x1000))
    session = connect(wire)
    busy: list[int] = []

    def stalled(registers: FlashRegisters) -> int:
        status = look(registers)
        if status & 1:
            busy.append(status)
            wire.clock.sleep(STALL)
        return status

    look = FlashRegisters.status
    monkeypatch.setattr(FlashRegisters, "status", stalled)
    session.flasher.erase(0, 0x1000)

    assert len(busy) == 1
    assert flash_of(wire, 0, 0x1000) == b"\xff" * 0x1000


def test_an_erase_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = wire_to("sim:1MB")
    session = connect(wire)
    look = FlashRegisters.status
    monkeypatch.setattr(FlashRegisters, "status", lambda registers: look(registers) | 1)

    with pytest.raises(ChipError, match="does not end an erase"):
        session.flasher.erase(0, 0x1000)
