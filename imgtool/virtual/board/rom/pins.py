"""The ROM's functions for pins, the RTC, the processor's frequency, and chains of buffers.

Not what is behind the registers (imgtool.virtual.board.peripherals).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.virtual.board.rom.machine import Call, RomFunction

if TYPE_CHECKING:
    from imgtool.virtual.board.rom.machine import Machine, Steps

__all__ = ["DATA", "FUNCTIONS", "reset_reason"]

_GPIO_SET, _GPIO_CLEAR, _GPIO_ENABLE, _GPIO_DISABLE = 0x6000_0304, 0x6000_0308, 0x6000_0310, 0x6000_0314
_GPIO_IN: Final = 0x6000_0318

_RTC_CONTROL, _RTC_SLEEP, _RTC_CAUSE, _RTC_KIND = 0x6000_0700, 0x6000_0708, 0x6000_0714, 0x6000_0718
_RESET: Final = 1 << 31
_WOKEN, _SLEPT = 5, 1 << 21
_KINDS: Final = {1: 6, 8: 5}  # what a cause 5 was

_FREQUENCY: Final = 0x3FFF_C704
_SDK_FREQUENCY: Final = 0x50
_WATCHDOG: Final = 0x3FFF_C708

DATA: Final = {_FREQUENCY: _SDK_FREQUENCY, _WATCHDOG: 0xFFFF_FFFF}
"""The words in DRAM that a start sets."""

# A buffer's descriptor: its size in bits 11:0, its length in 23:12, and flags, of which those for a frame's
# end and start become clear; its bytes; the next one.
_SIZE: Final = 0xFFF
_OWNED, _KEPT_FLAGS = 1 << 31, 0x1F << 24
_BYTES, _NEXT, _DESCRIPTOR = 4, 8, 12
_UDIVSI3: Final = 0x4000_E21C


def _set_pins(machine: Machine) -> None:
    """``gpio_output_set``: pins high, low, outputs, inputs."""
    for number, register in enumerate((_GPIO_SET, _GPIO_CLEAR, _GPIO_ENABLE, _GPIO_DISABLE)):
        machine.set_word(register, machine.arg(number))


def _read_pins(machine: Machine) -> int:
    """``gpio_input_get``."""
    return machine.word(_GPIO_IN)


def reset_reason(machine: Machine) -> int:
    """``rtc_get_reset_reason``; a wake-up is forgotten by it."""
    cause = machine.word(_RTC_CAUSE) & 0xF
    if cause == _WOKEN:
        cause = next((of for kind, of in _KINDS.items() if machine.word(_RTC_KIND) >> 8 & 0x3F == kind), 0)
    machine.set_bits(_RTC_SLEEP, _SLEPT, 0)
    return cause


def _reset(machine: Machine) -> None:
    """``software_reset``."""
    machine.set_bits(_RTC_CONTROL, _RESET, _RESET)


def _set_frequency(machine: Machine) -> None:
    """``ets_update_cpu_frequency``: what delays count with, in MHz."""
    machine.set_word(_FREQUENCY, machine.arg(0))


def _frequency(machine: Machine) -> int:
    """``ets_get_cpu_frequency``."""
    return machine.word(_FREQUENCY)


def _cycles(machine: Machine) -> int:
    """``xthal_get_ccount``."""
    return machine.core.ccount


def _build_chain(machine: Machine) -> Steps:
    """``lldesc_build_chain``: a buffer in pieces of one size, each with a descriptor that names the next."""
    descriptor, buffer, whole, size, full = (machine.arg(number) for number in (0, 2, 3, 4, 5))
    first_at, last_at = machine.arg(6), machine.arg(7)
    count = yield Call(_UDIVSI3, (whole, size))
    first, before = descriptor, 0
    for _ in range(max(1, count)):
        length = size if full else 0
        kept = machine.word(descriptor) & _KEPT_FLAGS
        machine.set_word(descriptor + _BYTES, buffer)
        machine.set_word(descriptor, kept | _OWNED | (length & _SIZE) << 12 | size & _SIZE)
        if before:
            machine.set_word(before + _NEXT, descriptor)
        before, buffer, descriptor = descriptor, buffer + size, descriptor + _DESCRIPTOR
    machine.set_word(before + _NEXT, 0)
    machine.set_word(first_at, first)
    machine.set_word(last_at, before)
    return count


FUNCTIONS: Final = (
    RomFunction(0x4000_25E0, "rtc_get_reset_reason", reset_reason),
    RomFunction(0x4000_264C, "software_reset", _reset),
    RomFunction(0x4000_2F04, "ets_update_cpu_frequency", _set_frequency),
    RomFunction(0x4000_2F0C, "ets_get_cpu_frequency", _frequency),
    RomFunction(0x4000_4CD0, "gpio_output_set", _set_pins),
    RomFunction(0x4000_4CF0, "gpio_input_get", _read_pins),
    RomFunction(0x4000_4F40, "lldesc_build_chain", _build_chain),
    RomFunction(0x4000_DD38, "xthal_get_ccount", _cycles),
)
"""Pins, the RTC, the frequency, chains."""
