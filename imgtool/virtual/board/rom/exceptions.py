"""The ROM's vectors and handlers: exceptions, interrupts, and the tables by which firmware sets its own.

Not the processor's part in it (imgtool.virtual.cpu.full_core).  A vector makes a frame of 256 bytes on the
stack; a handler of the table by cause fills it and calls a function of the table of C functions, or one for
each interrupt.  The layout of the frame is that of Tensilica's XTOS, as NodeMCU's handler for loads has it:
https://github.com/nodemcu/nodemcu-firmware/blob/release/app/user/user_exceptions.c
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.virtual.board.rom.machine import Call, Jump, RomFunction, Wait, words_of
from imgtool.virtual.cpu.full_core import Cause

if TYPE_CHECKING:
    from imgtool.virtual.board.rom.machine import Machine, Outcome, Steps

__all__ = ["BASE", "DATA", "FUNCTIONS", "handles_loads", "stopped"]

BASE: Final = 0x4000_0000

# Tables in the ROM's data: handlers by cause; C functions by cause; interrupts, 14 first, a function and its
# argument each; the masks that go with them.
_BY_CAUSE: Final = 0x3FFF_C000
_C_BY_CAUSE: Final = 0x3FFF_C100
_CAUSES: Final = 64
_INTERRUPTS: Final = 0x3FFF_C180  # counted from bit 31 down
_MASKS: Final = 120  # from an interrupt on: those that it lets through, and those of its group
# What is unmasked; the next word: what the interrupt that is served lets through.
_ENABLED: Final = 0x3FFF_C200
_ALLOWED: Final = _ENABLED + 4
_LAST: Final = 14
_LAST_OF_LEVEL_1: Final = 13  # no function can be set for one of another level
_SAVED_PS: Final = 0x3FFF_DCC0

# The frame.
_FRAME: Final = 0x100
_PC, _PS, _SAR, _OLD_ALLOWED, _A0, _A2 = 0, 4, 8, 12, 16, 20
_SERVED: Final = 76  # the cause; where interrupts are served, PS
_IN_HANDLER: Final = 0x21  # PS: user vector, level 1

_EPC1, _DEPC, _EPC2, _EPC3 = 177, 192, 178, 179
_EXCCAUSE, _EXCVADDR = 232, 238
_LEVEL, _EXCM, _USER = 0xF, 0x10, 0x20
_WORD: Final = 0xFFFF_FFFF
_SHIFT: Final = 0x3F  # what SAR holds
_DEBUG_LEVEL: Final = 2

_C_WRAPPER, _CAUSE_3 = 0x4000_0598, 0x4000_0590
_ANY_INTERRUPT: Final = 0x4000_048C
_UNHANDLED, _UNHANDLED_INTERRUPT, _NONE = 0x4000_DC44, 0x4000_DC3C, 0x4000_DBF8
_SYSCALL, _ALLOCA = 0x4000_DBE4, 0x4000_DBE0
_FATAL, _FATAL_ALIGNMENT = 0x4000_1878, 0x4000_17E0
_OF_UART, _RECEIVED, _RECEIVED_INTO = 5, 0x4000_3BBC, 0x3FFF_DE28
_PRINT: Final = 0x4000_24CC
_BREAK: Final = 0x4000_0010  # where a debugger would come in

_TOLD: Final = (0, 2, 3, 8, 28, 29)
_ALIGNMENT: Final = 9
_TITLE, _REGISTERS, _STACK = 0x3FFF_D814, 0x3FFF_D7CC, 0x3FFF_D784
_TEXTS: Final = {
    _TITLE: b"Fatal exception (%d): \n",
    _REGISTERS: b"epc1=0x%08x, epc2=0x%08x, epc3=0x%08x, excvaddr=0x%08x, depc=0x%08x\n",
    _STACK: b"sp %p \n",
}
_OWN_FRAME: Final = 16  # of the handler of unaligned accesses


def _handler_by_cause(cause: int) -> int:
    special = {
        1: _SYSCALL,
        4: _ANY_INTERRUPT,
        5: _ALLOCA,
        12: _CAUSE_3,
        13: _CAUSE_3,
        14: _CAUSE_3,
        15: _CAUSE_3,
    }
    if cause in (*_TOLD, _ALIGNMENT):
        return _C_WRAPPER
    return special.get(cause, _UNHANDLED)


def _interrupt(number: int) -> int:
    """Where the function of an interrupt stands."""
    return _INTERRUPTS + 8 * (31 - number)


def _let_through(number: int) -> int:
    """What interrupts an interrupt that is served: those above, which for the last is itself."""
    return _WORD << min(number + 1, _LAST) & _WORD


def _data() -> dict[int, int]:
    """The words of the tables as a start leaves them."""
    words = {_BY_CAUSE + 4 * cause: _handler_by_cause(cause) for cause in range(_CAUSES)}
    words |= {_C_BY_CAUSE + 4 * cause: _NONE for cause in range(_CAUSES)}
    words |= {_C_BY_CAUSE + 4 * cause: _FATAL for cause in _TOLD}
    words[_C_BY_CAUSE + 4 * _ALIGNMENT] = _FATAL_ALIGNMENT
    words[_ENABLED], words[_ALLOWED] = 0, _WORD
    for number in range(_LAST + 1):
        place = _interrupt(number)
        words[place], words[place + 4] = _UNHANDLED_INTERRUPT, number
        words[place + _MASKS], words[place + _MASKS + 4] = _let_through(number), 1 << number
    words[_interrupt(_OF_UART)], words[_interrupt(_OF_UART) + 4] = _RECEIVED, _RECEIVED_INTO
    for address, text in _TEXTS.items():
        words |= words_of(address, text + b"\0")
    return words


DATA: Final = _data()
"""The words in DRAM that a start sets: address to value."""


def handles_loads(machine: Machine) -> bool:
    """Whether firmware has a handler of its own for loads of parts of what gives only words."""
    cause = Cause.LOAD_STORE
    return (machine.word(_BY_CAUSE + 4 * cause), machine.word(_C_BY_CAUSE + 4 * cause)) != (
        _C_WRAPPER,
        _FATAL,
    )


# Vectors ----------------------------------------------------------------------------------------------------


def _user_vector(machine: Machine) -> Jump:
    """Make a frame, and go to the handler of the cause."""
    core = machine.core
    frame = core.a[1] - _FRAME & _WORD
    core.a[1] = frame
    for register in (2, 3, 4):
        machine.set_word(frame + _A2 + 4 * (register - 2), core.a[register])
    core.a[2] = core.special.get(_EXCCAUSE, 0)
    core.a[3] = machine.word(_BY_CAUSE + 4 * core.a[2])
    return Jump(core.a[3])


def _nmi_vector(machine: Machine) -> Jump:
    """Nothing: go on."""
    return Jump(machine.core.return_from_level(3))


def stopped(machine: Machine) -> Steps:
    """Where the processor stays for ever."""
    del machine
    while True:
        yield Wait(_DEBUG_LEVEL)


# Handlers ---------------------------------------------------------------------------------------------------


def _save(machine: Machine) -> int:
    """Fill the frame at the stack pointer, but for SAR; its address."""
    core = machine.core
    frame = core.a[1]
    for register in range(5, 16):
        machine.set_word(frame + _A2 + 4 * (register - 2), core.a[register])
    machine.set_word(frame + _PC, core.special.get(_EPC1, 0))
    machine.set_word(frame + _PS, core.ps)
    machine.set_word(frame + _A0, core.a[0])
    core.ps = _IN_HANDLER
    return frame


def _restore(machine: Machine, frame: int) -> Jump:
    """Take all registers out of a frame, and go on where it was made."""
    core = machine.core
    core.a[0] = machine.word(frame + _A0)
    for register in range(2, 16):
        core.a[register] = machine.word(frame + _A2 + 4 * (register - 2))
    core.a[1] = frame + _FRAME & _WORD
    core.special[_EPC1] = machine.word(frame + _PC)
    core.ps = machine.word(frame + _PS) & (_LEVEL | _USER)  # EXCM is gone with the return
    return Jump(core.special[_EPC1])


def _c_wrapper(machine: Machine) -> Steps:
    return (yield from _call_c(machine, machine.core.a[2]))


def _cause_3_handler(machine: Machine) -> Steps:
    return (yield from _call_c(machine, Cause.LOAD_STORE))


def _call_c(machine: Machine, cause: int) -> Steps:
    """The C function of a cause is called with the frame."""
    core = machine.core
    frame = _save(machine)
    machine.set_word(frame + _SERVED, cause)
    machine.set_word(frame + _SAR, core.sar)
    core.ps &= ~_LEVEL
    function = machine.word(_C_BY_CAUSE + 4 * cause)
    if function:
        yield Call(function, (frame, cause))
    core.sar = machine.word(frame + _SAR) & _SHIFT
    return _restore(machine, frame)


def _interrupts(machine: Machine) -> Steps:
    """All interrupts that wait are served, the highest first.

    Those of one group are to take turns; but the register that says which have been served is that of the
    result of the function that was called.
    """
    core = machine.core
    frame = _save(machine)
    waiting = core.pending & core.enabled
    allowed = machine.word(_ALLOWED)
    machine.set_word(frame + _OLD_ALLOWED, allowed)
    if not waiting:
        return _restore(machine, frame)
    machine.set_word(frame + _SAR, core.sar)
    machine.set_word(frame + _SERVED, machine.word(frame + _PS))
    number, unserved = waiting.bit_length() - 1, _WORD
    while waiting:
        unserved ^= 1 << number
        place = _interrupt(number)
        core.clear_interrupts(1 << number)
        mask = machine.word(place + _MASKS)
        machine.set_word(_ALLOWED, mask)
        core.enable(machine.word(_ENABLED) & mask)
        core.ps &= ~_LEVEL
        unserved = yield Call(machine.word(place), (machine.word(place + 4), frame))
        core.ps = core.ps & ~_LEVEL | _DEBUG_LEVEL
        waiting = core.pending & machine.word(_ENABLED) & allowed
        if waiting:
            number, unserved = _turn(machine, waiting, unserved)
    machine.set_word(_ALLOWED, allowed)
    core.enable(machine.word(_ENABLED) & allowed)
    core.sar = machine.word(frame + _SAR) & _SHIFT
    return _restore(machine, frame)


def _turn(machine: Machine, waiting: int, unserved: int) -> tuple[int, int]:
    """The next interrupt, and which then count as unserved: its whole group, once each had its turn."""
    highest = waiting.bit_length() - 1
    group = machine.word(_interrupt(highest) + _MASKS + 4)
    turns = waiting & unserved & group
    return (turns.bit_length() - 1, unserved) if turns else (highest, unserved | group)


def _return_from_exception(machine: Machine) -> Jump:
    return _restore(machine, machine.core.a[1])


def _unhandled(machine: Machine) -> Steps:
    """A break, at which the processor stops; where it is nothing, the instruction is tried again."""
    core = machine.core
    core.a[2], core.a[3] = machine.word(core.a[1] + _A2), machine.word(core.a[1] + _A2 + 4)
    core.a[1] = core.a[1] + _FRAME & _WORD
    yield from _broken(machine)
    core.ps &= ~_EXCM
    return Jump(core.special.get(_EPC1, 0))


def _unhandled_interrupt(machine: Machine) -> Steps:
    """A break, too."""
    yield from _broken(machine)
    return None


def _broken(machine: Machine) -> Steps:
    """A break, which is nothing at a debugger's own level."""
    if machine.core.ps & _LEVEL < _DEBUG_LEVEL:
        yield from stopped(machine)
    return None


def _fatal(machine: Machine) -> Steps:
    """Say the cause and the registers, and let the instruction try again."""
    yield Call(_PRINT, (_TITLE, machine.core.special.get(_EXCCAUSE, 0)))
    yield from _say_registers(machine)
    return None


def _fatal_alignment(machine: Machine) -> Steps:
    """The same with the stack pointer; frames below it, which the ROM would follow, are not there."""
    yield Call(_PRINT, (_STACK, machine.core.a[1] - _OWN_FRAME & _WORD))
    yield from _say_registers(machine)
    return None


def _say_registers(machine: Machine) -> Steps:
    special = machine.core.special
    numbers = (_EPC1, _EPC2, _EPC3, _EXCVADDR, _DEPC)
    yield Call(_PRINT, (_REGISTERS, *(special.get(number, 0) for number in numbers)))
    return None


def _nothing(machine: Machine) -> None:
    del machine


# What firmware calls ----------------------------------------------------------------------------------------


def _set_exception_handler(machine: Machine) -> Outcome:
    """``_xtos_set_exception_handler``: the C function of a cause; the one before, 0 for none."""
    cause, function = machine.arg(0), machine.arg(1)
    if cause >= _CAUSES:
        return 0
    place = _C_BY_CAUSE + 4 * cause
    before = machine.word(place)
    machine.set_word(place, function or _NONE)
    machine.set_word(_BY_CAUSE + 4 * cause, _UNHANDLED if function in (0, _NONE) else _C_WRAPPER)
    machine.core.emulates_loads = handles_loads(machine)
    return 0 if before == _NONE else before


def _lock(machine: Machine) -> int:
    """``ets_intr_lock``: no interrupts; what PS was is kept."""
    core = machine.core
    before = core.ps
    core.ps = before & ~_LEVEL | 3
    machine.set_word(_SAVED_PS, before)
    return before


def _unlock(machine: Machine) -> int:
    """``ets_intr_unlock``: all interrupts, whatever was before."""
    core = machine.core
    before = core.ps
    core.ps = before & ~_LEVEL
    return before


def _attach(machine: Machine) -> int:
    """``ets_isr_attach``: the function of an interrupt; the one before, 0 for none."""
    number, function, argument = machine.signed(0), machine.arg(1), machine.arg(2)
    if not 0 <= number <= _LAST_OF_LEVEL_1:
        return 0
    place = _interrupt(number)
    before = machine.word(place)
    machine.set_word(place, function or _UNHANDLED_INTERRUPT)
    machine.set_word(place + 4, argument if function else number)
    return 0 if before == _UNHANDLED_INTERRUPT else before


def _mask(machine: Machine) -> int:
    """``ets_isr_mask``: switch interrupts off."""
    return _unmasked(machine, machine.word(_ENABLED) & ~machine.arg(0))


def _unmask(machine: Machine) -> int:
    """``ets_isr_unmask``: switch interrupts on."""
    return _unmasked(machine, machine.word(_ENABLED) | machine.arg(0))


def _unmasked(machine: Machine, enabled: int) -> int:
    before = machine.word(_ENABLED)
    machine.set_word(_ENABLED, enabled)
    machine.core.enable(enabled & machine.word(_ALLOWED))
    return before


FUNCTIONS: Final = (
    RomFunction(0x4000_0010, "_DebugExceptionVector", stopped),
    RomFunction(0x4000_0020, "_NMIExceptionVector", _nmi_vector),
    RomFunction(0x4000_0030, "_KernelExceptionVector", stopped),
    RomFunction(0x4000_0050, "_UserExceptionVector", _user_vector),
    RomFunction(0x4000_0070, "_DoubleExceptionVector", stopped),
    RomFunction(0x4000_0454, "_xtos_set_exception_handler", _set_exception_handler),
    RomFunction(_ANY_INTERRUPT, "_xtos_l1int_handler", _interrupts),
    RomFunction(_CAUSE_3, "_xtos_cause3_handler", _cause_3_handler),
    RomFunction(_C_WRAPPER, "_xtos_c_wrapper_handler", _c_wrapper),
    RomFunction(0x4000_0F74, "ets_intr_lock", _lock),
    RomFunction(0x4000_0F80, "ets_intr_unlock", _unlock),
    RomFunction(0x4000_0F88, "ets_isr_attach", _attach),
    RomFunction(0x4000_0F98, "ets_isr_mask", _mask),
    RomFunction(0x4000_0FA8, "ets_isr_unmask", _unmask),
    RomFunction(_FATAL_ALIGNMENT, "the handler of unaligned accesses", _fatal_alignment),
    RomFunction(_FATAL, "the handler of exceptions", _fatal),
    RomFunction(0x4000_BD28, "_xtos_set_interrupt_handler_arg", _attach),
    RomFunction(0x4000_BD84, "_xtos_ints_on", _unmask),
    RomFunction(0x4000_BDA4, "_xtos_ints_off", _mask),
    RomFunction(_NONE, "_xtos_p_none", _nothing),
    RomFunction(_UNHANDLED_INTERRUPT, "_xtos_unhandled_interrupt", _unhandled_interrupt),
    RomFunction(_UNHANDLED, "_xtos_unhandled_exception", _unhandled),
    RomFunction(0x4000_DC54, "_xtos_return_from_exc", _return_from_exception),
)
"""Vectors, handlers, and what sets them."""
