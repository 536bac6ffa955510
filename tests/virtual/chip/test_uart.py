"""UART0 by itself, and programs that send without a pause: when the chip comes back to its caller."""

from __future__ import annotations

import pytest

from fixtures.programs import UART, UART_TX_ONE_CHAR, Program, bnez, callx0, extui, jump, l32i, movi, s32i
from imgtool.virtual.chip.machine import Setup, Stop, VirtualChip
from imgtool.virtual.chip.uart import CONF1, INT_CLR, INT_ENA, INT_RAW, RX_FULL, RX_TIMEOUT, Uart

MS = 1_000_000
BYTE = 86_730  # ns at the speed of divider 451


class Clock:
    now = 0

    def __call__(self) -> int:
        return self.now


def receiving(threshold: int, units: int, count: int) -> tuple[Uart, Clock]:
    """A UART of which the first of so many bytes has arrived."""
    clock = Clock()
    uart = Uart(clock)
    uart.write(CONF1, 1 << 31 | units << 24 | threshold)
    uart.write(INT_ENA, RX_FULL | RX_TIMEOUT)
    uart.arrive(bytes(count), 0, None)
    clock.now = uart.step
    uart.deliver()
    assert uart.waiting == 1
    return uart, clock


@pytest.mark.parametrize(
    ("units", "count", "moment"),
    [
        (2, 100, 64.0),  # the FIFO is full: a time-out begins anew with each byte
        (2, 10, 10.0),  # the last one arrives
        (1, 100, 1.8),  # so short that one byte does not put it off until the next
        (0, 100, 64.0),  # there is none
    ],
)
def test_what_changes_next_while_bytes_arrive(units: int, count: int, moment: float) -> None:
    uart, _ = receiving(64, units, count)
    change = uart.next_change()
    assert change is not None
    assert change / uart.step == pytest.approx(moment, abs=0.01)


def test_the_time_out_follows_the_last_byte() -> None:
    uart, clock = receiving(64, 2, 10)
    clock.now = 10 * uart.step
    uart.deliver()
    assert not uart.quiet
    change = uart.next_change()
    assert change is not None
    assert change / uart.step == pytest.approx(11.6, abs=0.01)
    clock.now = change - 1
    assert not uart.read(INT_RAW) & RX_TIMEOUT
    clock.now = change
    assert uart.read(INT_RAW) & RX_TIMEOUT
    assert uart.quiet


def test_a_condition_that_holds_comes_back_when_it_is_cleared() -> None:
    uart, clock = receiving(4, 2, 10)
    clock.now = 8 * uart.step
    assert uart.read(INT_RAW) & RX_FULL
    uart.write(INT_CLR, RX_FULL)
    assert uart.read(INT_RAW) & RX_FULL
    assert [uart.read_fifo() for _ in range(5)] == [0] * 5
    assert not uart.read(INT_RAW) & RX_FULL


def test_status_counts_both_ways() -> None:
    uart, clock = receiving(64, 2, 10)
    for _ in range(5):
        uart.put(0x55)
    assert uart.read_status() == 4 << 16 | 1
    clock.now += uart.step
    assert uart.read_status() == 3 << 16 | 2
    clock.now += 5 * uart.step
    assert uart.read_status() == 7


def test_what_has_left_is_drained_first_and_can_still_be_reacted_to() -> None:
    uart, clock = receiving(64, 2, 1)
    assert (uart.pending, uart.oldest) == (None, None)
    end = uart.send(b"abc")
    assert (uart.pending, uart.oldest) == (end, clock.now + uart.step)
    assert bytes(byte for byte, _, _ in uart.drain(end - 1)) == b"ab"
    assert bytes(byte for byte, _, _ in uart.drain(end)) == b"c"
    assert (uart.pending, uart.oldest) == (end, None)
    assert uart.drain() == []
    assert uart.pending is None


def polling() -> Program:
    """Sends for ever, and waits for room by itself."""
    program = Program(UART)
    program.load(3, 0)
    program.add(movi(2, 0x55))
    loop = program.here
    program.add(l32i(4, 3, 0x1C), extui(4, 4, 17, 6))
    program.add(bnez(4, loop, program.here))
    program.add(s32i(2, 3, 0), jump(loop, program.here + 3))
    return program


def calling() -> Program:
    """Sends for ever by the ROM's function."""
    program = Program(UART_TX_ONE_CHAR)
    loop = program.here
    program.add(movi(2, 0x55))
    program.load(0, 0)
    program.add(callx0(0))
    program.add(jump(loop, program.here))
    return program


def running(program: Program) -> VirtualChip:
    chip = VirtualChip(Setup())
    chip.power_on(download=True)
    while chip.run() is not Stop.IDLE:
        chip.uart.drain()
    chip.uart.baud = 115200
    segment = program.segment()
    chip.core.load(segment.address, segment.data)
    chip.start(program.entry)
    return chip


@pytest.mark.parametrize("program", [polling(), calling()], ids=["polling", "calling"])
def test_a_program_that_sends_is_left_in_time(program: Program) -> None:
    chip = running(program)
    sent, start = 0, chip.now
    for _ in range(20):
        until = chip.now + 7 * MS
        assert chip.run(until) is Stop.DUE
        assert until <= chip.now < until + 2 * BYTE
        sent += len(chip.uart.drain(chip.now))
    assert sent == pytest.approx((chip.now - start) / BYTE, abs=2)


@pytest.mark.parametrize("program", [polling(), calling()], ids=["polling", "calling"])
def test_what_has_left_does_not_wait_for_long(program: Program) -> None:
    chip = running(program)
    chip.linger_ns = 10 * MS
    chip.run(chip.now)
    sent, start = 0, chip.now
    for _ in range(20):
        oldest = chip.uart.oldest
        assert chip.run() is Stop.SENT
        drained = chip.uart.drain(chip.now)
        assert oldest in {None, drained[0][1]}
        assert 10 * MS <= chip.now - drained[0][1] < 10 * MS + 2 * BYTE
        sent += len(drained)
    assert sent == pytest.approx((chip.now - start) / BYTE, abs=2)
