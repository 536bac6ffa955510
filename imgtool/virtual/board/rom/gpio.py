"""The ROM's functions for the pins as inputs that interrupt, and the table of what each has chosen.

Not plain outputs and inputs (pins.py), nor the pins themselves: nothing is connected to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.virtual.board.rom.machine import Call, RomFunction

if TYPE_CHECKING:
    from imgtool.virtual.board.rom.machine import Machine, Steps

__all__ = ["FUNCTIONS"]

# Registers: each pin's, in which bits 9:7 choose its interrupt; what has come up, and to clear that.
_PIN: Final = 0x6000_0328
_STATUS, _SET_STATUS, _CLEAR_STATUS = 0x6000_031C, 0x6000_0320, 0x6000_0324
_PINS: Final = 16
_KIND_AT, _KIND = 7, 7
_ALL: Final = 0xFFFF
# The real one clears registers by their addresses where numbers are meant, and so none of a pin.
_FIRST_CLEARED: Final = 40

# What the ROM keeps: which pins' interrupts wait, whom they are told, and the kind that each pin has chosen.
_WAITING, _TOLD, _ARGUMENT, _KINDS = 0x3FFF_DFD0, 0x3FFF_DFD4, 0x3FFF_DFD8, 0x3FFF_DFE0
_INTERRUPT: Final = 4
_ISR, _TEST = 0x4000_4E34, 0x4000_4EFC
_SET, _SET_KIND, _REGISTER_HANDLER, _OUTPUT = 0x4000_4D04, 0x4000_4D90, 0x4000_4E28, 0x4000_4CD0
_LOCK, _UNLOCK, _ATTACH, _MASK, _UNMASK = 0x4000_0F74, 0x4000_0F80, 0x4000_0F88, 0x4000_0F98, 0x4000_0FA8


def _init(machine: Machine) -> Steps:
    """``gpio_init``: all pins are inputs, none interrupts; what comes is told to a test."""
    yield Call(_ATTACH, (_INTERRUPT, _ISR, 0))
    yield Call(_MASK, (1 << _INTERRUPT,))
    yield Call(_OUTPUT, (0, 0, 0, _ALL))
    machine.set_word(_WAITING, 0)
    for number in range(_PINS):
        yield Call(_SET, (_FIRST_CLEARED + 4 * number, 0))
        machine.set_byte(_KINDS + number, machine.word(_PIN + 4 * number) >> _KIND_AT & _KIND)
    machine.set_word(_CLEAR_STATUS, _ALL)
    yield Call(_REGISTER_HANDLER, (_TEST, 0))
    yield Call(_UNMASK, (1 << _INTERRUPT,))
    return None


def _set(machine: Machine) -> Steps:
    """``gpio_register_set``: a pin's register; where no interrupt is chosen, none waits any more."""
    number, value = machine.arg(0), machine.arg(1)
    yield Call(_LOCK)
    machine.set_word(_PIN + 4 * number, value)
    if number < _PINS:
        kind = value >> _KIND_AT & _KIND
        machine.set_byte(_KINDS + number, kind)
        if not kind:
            machine.set_word(_WAITING, machine.word(_WAITING) & ~(1 << number))
    yield Call(_UNLOCK)
    return None


def _get(machine: Machine) -> int:
    """``gpio_register_get``: a pin's register, with the interrupt that was chosen."""
    number = machine.arg(0)
    value = machine.word(_PIN + 4 * number)
    if number >= _PINS:
        return value
    return value & ~(_KIND << _KIND_AT) | machine.byte(_KINDS + number) << _KIND_AT


def _pending(machine: Machine) -> int:
    """``gpio_intr_pending``."""
    return machine.word(_WAITING)


def _set_kind(machine: Machine) -> Steps:
    """``gpio_pin_intr_state_set``: the interrupt of a pin, for now."""
    number, kind = machine.arg(0), machine.arg(1)
    yield Call(_LOCK)
    place = _PIN + 4 * number
    machine.set_word(place, machine.word(place) & ~(_KIND << _KIND_AT) | kind << _KIND_AT)
    yield Call(_UNLOCK)
    return None


def _acknowledge(machine: Machine) -> Steps:
    """``gpio_intr_ack``: pins may interrupt again; what else waits comes up once more."""
    pins = machine.arg(0)
    yield Call(_LOCK)
    waiting = machine.word(_WAITING)
    left = waiting & ~pins
    machine.set_word(_WAITING, left)
    if left:
        machine.set_word(_SET_STATUS, left)
        machine.set_word(_WAITING, 0)
    for number in range(_PINS):
        if pins >> number & 1:
            yield Call(_SET_KIND, (number, machine.byte(_KINDS + number)))
    yield Call(_UNLOCK)
    return None


def _register_handler(machine: Machine) -> None:
    """``gpio_intr_handler_register``: who is told."""
    machine.set_word(_TOLD, machine.arg(0))
    machine.set_word(_ARGUMENT, machine.arg(1))


def _on_interrupt(machine: Machine) -> Steps:
    """The interrupt: pins that have come up are quiet until they are acknowledged."""
    pins = machine.word(_STATUS)
    for number in range(_PINS):
        if pins >> number & 1:
            yield Call(_SET_KIND, (number, 0))
    machine.set_word(_CLEAR_STATUS, pins)
    waiting = machine.word(_WAITING)
    machine.set_word(_WAITING, pins | waiting)
    if not waiting:
        yield Call(machine.word(_TOLD), (pins, machine.word(_ARGUMENT)))
    return None


FUNCTIONS: Final = (
    RomFunction(0x4000_4C50, "gpio_init", _init),
    RomFunction(_SET, "gpio_register_set", _set),
    RomFunction(0x4000_4D5C, "gpio_register_get", _get),
    RomFunction(0x4000_4D88, "gpio_intr_pending", _pending),
    RomFunction(_SET_KIND, "gpio_pin_intr_state_set", _set_kind),
    RomFunction(0x4000_4DCC, "gpio_intr_ack", _acknowledge),
    RomFunction(_REGISTER_HANDLER, "gpio_intr_handler_register", _register_handler),
    RomFunction(_ISR, "the interrupt of the pins", _on_interrupt),
)
"""Interrupts of pins."""
