"""What the ROM does at a start: tables, banner, the image at 0 into RAM, and the jump to it.

What it says and where it stops are computed from the image (imgtool.virtual.chip.boot), as seen of the ROM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.formats.images.version1 import MAGIC
from imgtool.virtual.board.rom import exceptions, flash, pins, serial, tasks
from imgtool.virtual.board.rom.machine import Call, RomFunction
from imgtool.virtual.chip.boot import FLASH_BOOT, ResetCause, download_banner, load_image
from imgtool.virtual.chip.boot_stage import printed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from imgtool.virtual.board.rom.machine import Machine, Steps

__all__ = ["starting"]

_RESET_VECTOR, _RESET_HANDLER = 0x4000_0080, 0x4000_00A4
_VECBASE, _INTENABLE = 231, 228
_IN_MAIN: Final = 0x20  # PS: no exception, user vector, level 0
_STACK: Final = 0x3FFF_FFF0
_BLANK: Final = range(0x3FFF_DAB0, 0x3FFF_EB30)  # the ROM's data that has no value at a start
_ENTRY: Final = 0x3FFF_DCD0
_INSTALL_PRINTF: Final = 0x4000_2438
_PRINT: Final = 0x4000_24CC
_STRAPS: Final = 0x6000_0318
_HEADER: Final = 8
_WORD: Final = 4
_REGISTERS: Final = 0x6000_0000


class _Flash:
    """The flash as the loader reads it."""

    def __init__(self, read: Callable[[int, int], bytes]) -> None:
        self.read = read


def starting(data: Mapping[int, int]) -> tuple[RomFunction, ...]:
    """The ROM's first instruction, and where SDKs go to start again.

    Args:
        data: The words in DRAM that a start sets.
    """

    def start(machine: Machine) -> Steps:
        return (yield from _start(machine, data))

    return (
        RomFunction(_RESET_VECTOR, "_ResetVector", start),
        RomFunction(_RESET_HANDLER, "_ResetHandler", start),
    )


def _start(machine: Machine, data: Mapping[int, int]) -> Steps:
    core = machine.core
    core.special[_VECBASE] = exceptions.BASE
    core.enable(0)
    core.ps = _IN_MAIN
    core.sar = 0
    core.a[1] = _STACK
    core.emulates_loads = False
    machine.set_bytes(_BLANK.start, bytes(len(_BLANK)))
    for address, value in data.items():
        machine.set_word(address, value)
    yield Call(serial.ATTACH)
    yield Call(serial.INIT, (0,))
    yield Call(_INSTALL_PRINTF)
    cause = pins.reset_reason(machine)
    straps = machine.word(_STRAPS)
    strap, state = straps >> 16 & 7, straps >> 29
    _say(machine, download_banner(ResetCause(cause), state, strap=strap))
    if strap != FLASH_BOOT:
        return (yield from exceptions.stopped(machine))
    entry = _loaded(machine)
    if entry is None:
        return (yield from exceptions.stopped(machine))
    machine.set_word(_ENTRY, entry)
    if entry:
        yield Call(entry)
        _say(machine, printed("user code done\n"))
    yield Call(tasks.RUN)
    return (yield from exceptions.stopped(machine))


def _say(machine: Machine, text: bytes) -> None:
    for byte in text:
        serial.send(machine, byte)


def _loaded(machine: Machine) -> int | None:
    """Load the image at 0; its entry point, or None where the ROM stops."""
    flash.attach(machine)
    header = machine.surroundings.read_flash(0, _HEADER)
    if header[0] == MAGIC:
        flash.set_mode(machine, header[2])
    loaded = load_image(_Flash(machine.surroundings.read_flash))
    for segment in loaded.segments:
        # Not read once more: the ROM's loop over its bytes takes as long.
        content = machine.surroundings.read_flash(segment.position, segment.size)
        if segment.address >= _REGISTERS:
            for at in range(0, segment.size & ~3, _WORD):
                machine.set_word(segment.address + at, int.from_bytes(content[at : at + _WORD], "little"))
        else:
            machine.set_bytes(segment.address, content)
    _say(machine, loaded.text)
    return loaded.entry
