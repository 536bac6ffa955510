"""The ROM's functions for the UARTs.

Not the UART (imgtool.virtual.chip.uart), nor printing (imgtool.virtual.board.rom.text).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.virtual.board.rom.machine import Call, RomFunction

if TYPE_CHECKING:
    from imgtool.virtual.board.rom.machine import Machine, Steps

__all__ = ["ATTACH", "FUNCTIONS", "INIT", "send"]

ATTACH: Final = 0x4000_383C
"""``uartAttach``."""

INIT: Final = 0x4000_3A14
"""``Uart_Init``."""

# Registers, of UART0; UART1 is 0xF00 behind.
_UART0, _UART1_BEHIND = 0x6000_0000, 0xF00
_FIFO, _INT_ENA, _INT_CLR, _CLKDIV, _AUTOBAUD = 0x00, 0x0C, 0x10, 0x14, 0x18
_STATUS, _CONF0, _CONF1, _LOW_PULSE, _HIGH_PULSE, _EDGES = 0x1C, 0x20, 0x24, 0x28, 0x2C, 0x30
_INT_RAW: Final = 0x08
_SENDS, _RECEIVES = 0xFF_0000, 0xFF
_FIFO_RESETS: Final = 0x6_0000
_ALL: Final = 0xFFFF
_ALL_INTERRUPTS: Final = 0x1FF
_FULL: Final = 1
_MEASURES, _GLITCHES = 1, 0x801
_ENOUGH_EDGES: Final = 30
_LOOKS_EVERY: Final = 1000  # us
_PULSE: Final = 0xF_FFFF
_ROUNDING: Final = 12

# What the ROM keeps of a UART: https://github.com/espressif/ESP8266_NONOS_SDK has the structure UartDevice.
_DEVICE: Final = 0x3FFF_DE10
_BAUD, _BITS, _PARITY_ON, _PARITY, _STOP = 0, 4, 8, 12, 16
_RECEIVER, _SIZE, _BUFFER, _WRITTEN, _READ, _TRIGGER, _STATE = 20, 24, 28, 32, 36, 40, 44
_ROOM, _BEHIND, _MEASURED, _UNUSED, _NUMBER = 48, 52, 56, 60, 64
_RECEIVE_BUFFER: Final = 0x3FFF_DE60
_RECEIVED_INTO: Final = 0x3FFF_DE28
_RECEIVE_HANDLER: Final = 0x4000_3BBC
_BUFFER_SIZE: Final = 0x100
_CR: Final = 0x0D
_LINE_END: Final = 2
_WORD: Final = 0xFFFF_FFFF
_CLOCK: Final = 80_000_000
_DEFAULT_BAUD: Final = 115_200
_INTERRUPT: Final = 5
_ATTACH, _MASK, _DIVIDER, _UDIVSI3 = 0x4000_0F88, 0x4000_0F98, 0x4000_39D8, 0x4000_E21C

# Pins of UART0.
_TX_PIN, _RX_PIN = 0x6000_0818, 0x6000_0838
_PIN_FUNCTION: Final = 0x130
_SECOND_FUNCTION: Final = 0x100
_PULL_UP: Final = 0x80
_TX1_PIN: Final = 0x6000_0824


def _base(number: int) -> int:
    return _UART0 + _UART1_BEHIND * number


def _in_use(machine: Machine) -> int:
    return _base(machine.byte(_DEVICE + _NUMBER))


def send(machine: Machine, byte: int) -> None:
    """Send a byte on the UART in use, once nothing is left to be sent before it."""
    base = _in_use(machine)
    while machine.word(base + _STATUS) & _SENDS:
        pass
    machine.set_word(base + _FIFO, byte)


def _attach(machine: Machine) -> Steps:
    """``uartAttach``: what the ROM keeps is as at a start; what comes is kept by an interrupt."""
    for place, value in (
        (_RECEIVER, 0),
        (_PARITY_ON, 0),
        (_PARITY, 0),
        (_STOP, 0),
        (_STATE, 0),
        (_MEASURED, 0),
        (_UNUSED, 0),
        (_NUMBER, 0),
        (_BAUD, _DEFAULT_BAUD),
        (_BITS, 3),
        (_SIZE, _BUFFER_SIZE),
        (_BUFFER, _RECEIVE_BUFFER),
        (_WRITTEN, _RECEIVE_BUFFER),
        (_READ, _RECEIVE_BUFFER),
        (_ROOM, 100),
        (_BEHIND, _RECEIVE_BUFFER + _BUFFER_SIZE),
    ):
        machine.set_word(_DEVICE + place, value)
    machine.set_byte(_DEVICE + _TRIGGER, 1)
    yield Call(_MASK, (1 << _INTERRUPT,))
    yield Call(_ATTACH, (_INTERRUPT, _RECEIVE_HANDLER, _RECEIVED_INTO))
    return None


def _init(machine: Machine) -> Steps:
    """``Uart_Init``: pins, speed and frame of a UART; its interrupt comes for each byte."""
    number = machine.arg(0)
    if number:
        machine.set_bits(_TX1_PIN, _PIN_FUNCTION, 0)
        machine.set_bits(_TX1_PIN, _PIN_FUNCTION, _PIN_FUNCTION)
    else:
        machine.set_bits(_TX_PIN, _PULL_UP, 0)
        machine.set_bits(_TX_PIN, _PIN_FUNCTION, 0)
        machine.set_bits(_TX_PIN, 0, 0)
        machine.set_bits(_RX_PIN, _PIN_FUNCTION, 0)
        machine.set_bits(_RX_PIN, _SECOND_FUNCTION, _SECOND_FUNCTION)
    divider = yield Call(_UDIVSI3, (_CLOCK, machine.word(_DEVICE + _BAUD)))
    yield Call(_DIVIDER, (number, divider & 0xFFFF))
    base = _base(number)
    frame = machine.word(_DEVICE + _PARITY_ON) | machine.word(_DEVICE + _PARITY)
    frame |= machine.word(_DEVICE + _BITS) << 2 | machine.word(_DEVICE + _STOP) << 4
    machine.set_word(base + _CONF0, frame)
    _reset_fifos(machine, base)
    machine.set_word(base + _CONF1, machine.byte(_DEVICE + _TRIGGER) & 0x7F)
    machine.set_word(base + _INT_CLR, _ALL)
    machine.set_bits(base + _INT_ENA, _FULL, _FULL)
    return None


def _reset_fifos(machine: Machine, base: int) -> None:
    machine.set_bits(base + _CONF0, _FIFO_RESETS, _FIFO_RESETS)
    machine.set_bits(base + _CONF0, _FIFO_RESETS, 0)


def _set_divider(machine: Machine) -> None:
    """``uart_div_modify``: the speed; what has not left is lost."""
    base = _base(machine.arg(0))
    machine.set_word(base + _CLKDIV, machine.arg(1))
    _reset_fifos(machine, base)


def _switch(machine: Machine) -> None:
    """``uart_buff_switch``: the UART in use; for UART0 all that has come before is thrown away."""
    number = machine.arg(0)
    if number == 0:
        machine.set_word(_base(1) + _INT_CLR, _ALL)
        machine.set_bits(_base(1) + _INT_ENA, _ALL_INTERRUPTS, 0)
        _throw_away_fifo(machine)
        while (read := machine.word(_DEVICE + _READ)) != machine.word(_DEVICE + _WRITTEN):
            machine.byte(read)
            start = machine.word(_DEVICE + _BUFFER)
            machine.set_word(_DEVICE + _READ, start if read + 1 == start + _BUFFER_SIZE else read + 1)
            _throw_away_fifo(machine)
        machine.set_word(_DEVICE + _STATE, 0)
    machine.set_word(_DEVICE + _NUMBER, number)


def _throw_away_fifo(machine: Machine) -> None:
    base = _in_use(machine)
    while machine.word(base + _STATUS) & _RECEIVES:
        machine.word(base + _FIFO)


def _measure(machine: Machine) -> int:
    """``uart_baudrate_detect``: the divider for what comes; 0 while too little has come and nobody waits."""
    number, at_once = machine.arg(0), machine.arg(1)
    base = _base(number)
    if not machine.word(_DEVICE + _MEASURED):
        machine.set_bits(base + _AUTOBAUD, _MEASURES, 0)
        machine.set_word(base + _AUTOBAUD, _GLITCHES)
        machine.set_word(_DEVICE + _MEASURED, 1)
    while machine.word(base + _EDGES) < _ENOUGH_EDGES:
        if at_once:
            return 0
        machine.delay(_LOOKS_EVERY)
    low = machine.word(base + _LOW_PULSE) & _PULSE
    high = machine.word(base + _HIGH_PULSE) & _PULSE
    machine.set_bits(base + _AUTOBAUD, _MEASURES, 0)
    return (low + high >> 1) + _ROUNDING


def _send_one(machine: Machine) -> int:
    """``uart_tx_one_char``."""
    send(machine, machine.arg(0))
    return 0


def _receive_one(machine: Machine) -> int:
    """``uart_rx_one_char``: a byte, or 1 where none has come."""
    base = _in_use(machine)
    if not machine.word(base + _STATUS) & _RECEIVES:
        return 1
    machine.set_byte(machine.arg(0), machine.word(base + _FIFO))
    return 0


def _on_received(machine: Machine) -> None:
    """``uart_rx_intr_handler``: what has come goes into a ring."""
    ring = machine.arg(0)
    base = _in_use(machine)
    if not machine.word(base + _INT_RAW) & _FULL:
        return
    machine.set_word(base + _INT_CLR, _FULL)
    while machine.word(base + _STATUS) & _RECEIVES:
        place = machine.word(ring + 8)
        byte = machine.word(base + _FIFO) & 0xFF
        machine.set_byte(place, byte)
        start = machine.word(ring + 4)
        if byte == _CR:
            machine.set_word(ring + 20, _LINE_END)
        place += 1
        machine.set_word(ring + 8, start if place == start + _BUFFER_SIZE else place)


FUNCTIONS: Final = (
    RomFunction(ATTACH, "uartAttach", _attach),
    RomFunction(0x4000_38A4, "uart_buff_switch", _switch),
    RomFunction(0x4000_3924, "uart_baudrate_detect", _measure),
    RomFunction(_DIVIDER, "uart_div_modify", _set_divider),
    RomFunction(INIT, "Uart_Init", _init),
    RomFunction(0x4000_3B30, "uart_tx_one_char", _send_one),
    RomFunction(0x4000_3B8C, "uart_rx_one_char", _receive_one),
    RomFunction(_RECEIVE_HANDLER, "uart_rx_intr_handler", _on_received),
)
"""UARTs."""
