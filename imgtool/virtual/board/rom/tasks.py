"""The ROM's tasks and timers: a queue of messages for each of 32 tasks, and a list of timers on FRC2.

Not the SDK's own timers, which newer releases have instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.virtual.board.rom.exceptions import stopped
from imgtool.virtual.board.rom.machine import Call, RomFunction, Wait, words_of

if TYPE_CHECKING:
    from imgtool.virtual.board.rom.machine import Machine, Steps

__all__ = ["DATA", "FUNCTIONS", "RUN"]

RUN: Final = 0x4000_0E04
"""``ets_run``."""

_WORD: Final = 0xFFFF_FFFF

# Tasks: 16 bytes each, the first is that of priority 1.
_TASKS: Final = 0x3FFF_DAC0
_FUNCTION, _QUEUE, _LENGTH, _IN, _OUT, _COUNT, _BIT = 0, 4, 8, 9, 10, 11, 12
_IDLE_FUNCTION, _IDLE_ARGUMENT, _READY = 0x3FFF_DAB0, 0x3FFF_DAB4, 0x3FFF_DAB8
_RUNNING: Final = 0x3FFF_C6FC
_LOCK, _UNLOCK, _ATTACH, _UNMASK = 0x4000_0F74, 0x4000_0F80, 0x4000_0F88, 0x4000_0FA8
_TASK, _POST = 0x4000_0DD0, 0x4000_0E24

# Timers: next, moment, period, function, argument.
_NEXT, _MOMENT, _PERIOD, _CALLED, _ARGUMENT = 0, 4, 8, 12, 16
_FIRST, _SERVED, _SERVED_FUNCTION = 0x3FFF_DDB0, 0x3FFF_DDB4, 0x3FFF_DDB8
_NOT_LISTED: Final = _WORD
_TIMER_QUEUE: Final = 0x3FFF_DDC0
_TIMER_TASK, _TIMER_MESSAGES = 31, 4
_TIMER_INTERRUPT: Final = 10
_ISR, _TASK_FUNCTION, _HANDLE = 0x4000_2E24, 0x4000_2E3C, 0x4000_2DA8
_EDGES: Final = 0x3FF0_0004
_FRC2_EDGE: Final = 1 << 2
_FRC2_LOAD, _FRC2_COUNT, _FRC2_CTRL, _FRC2_ALARM = 0x6000_0620, 0x6000_0624, 0x6000_0628, 0x6000_0630
_BY_256: Final = 0x88  # counts, and 312,500 times a second
_SOON, _LATER = 40, 44  # ticks
_TICKS_PER_4_US, _TICKS_PER_1024_US = 0x4E2, 0x139
_EXACT_BELOW: Final = 0x30CE
_TICKS_PER_S: Final = 0x4_C4B4

# What is said where a timer is armed that already is, by the line of the ROM's source.
_PRINT: Final = 0x4000_24CC
_FILE_AND_LINE, _FILE = 0x3FFF_D6B8, 0x3FFF_D878
_LISTED_TWICE, _ARMED_TWICE, _DONE_ARMED = 173, 185, 231

DATA: Final = {
    _RUNNING: 0xFF,
    **words_of(_FILE_AND_LINE, b"%s %s \n\0"),
    **words_of(_FILE, b"ets_timer.c\0"),
}
"""The words in DRAM that a start sets."""


def _signed(value: int) -> int:
    value &= _WORD
    return value - (1 << 32) if value >> 31 else value


# Tasks ------------------------------------------------------------------------------------------------------


def _place(priority: int) -> int:
    return _TASKS + 16 * (priority - 1)


def _set_idle(machine: Machine) -> None:
    """``ets_set_idle_cb``: what is called where no message waits."""
    machine.set_word(_IDLE_FUNCTION, machine.arg(0))
    machine.set_word(_IDLE_ARGUMENT, machine.arg(1))


def _task(machine: Machine) -> None:
    """``ets_task``: a task of a priority, and the room for its messages."""
    function, priority, queue, length = (machine.arg(number) for number in range(4))
    place = _place(priority)
    machine.set_word(place + _FUNCTION, function)
    machine.set_word(place + _QUEUE, queue)
    machine.set_byte(place + _LENGTH, length)
    for field in (_IN, _OUT, _COUNT):
        machine.set_byte(place + field, 0)
    machine.set_word(place + _BIT, 1 << (priority - 1 & 0x1F))


def _post(machine: Machine) -> Steps:
    """``ets_post``: a message for a task; 1 where its queue is full."""
    priority, signal, parameter = (machine.arg(number) for number in range(3))
    yield Call(_LOCK)
    place = _place(priority)
    length, count = machine.byte(place + _LENGTH), machine.byte(place + _COUNT)
    if count >= length:
        yield Call(_UNLOCK)
        return 1
    index = machine.byte(place + _IN)
    message = machine.word(place + _QUEUE) + 8 * index
    machine.set_word(message, signal)
    machine.set_word(message + 4, parameter)
    machine.set_byte(place + _IN, 0 if index + 1 == length else index + 1)
    machine.set_byte(place + _COUNT, count + 1)
    if count == 0:
        machine.set_word(_READY, machine.word(_READY) | machine.word(place + _BIT))
    yield Call(_UNLOCK)
    return 0


def _run(machine: Machine) -> Steps:
    """``ets_run``: messages go to their tasks, for ever."""
    machine.set_byte(_RUNNING, 0)
    yield from _serve(machine, 0)
    return None


def _serve(machine: Machine, above: int) -> Steps:
    """Messages for tasks of a higher priority than one; it waits where there is none."""
    while True:
        yield Call(_LOCK)
        priority = machine.word(_READY).bit_length()
        if priority <= above:
            idle = machine.word(_IDLE_FUNCTION)
            if idle:
                yield Call(idle, (machine.word(_IDLE_ARGUMENT),))
            yield Wait()
            yield Call(_UNLOCK)
            continue
        place = _place(priority)
        index = machine.byte(place + _OUT)
        machine.set_byte(place + _OUT, 0 if index + 1 == machine.byte(place + _LENGTH) else index + 1)
        count = machine.byte(place + _COUNT) - 1
        machine.set_byte(place + _COUNT, count)
        if not count:
            machine.set_word(_READY, machine.word(_READY) & ~machine.word(place + _BIT))
        machine.set_byte(_RUNNING, priority)
        yield Call(_UNLOCK)
        yield Call(machine.word(place + _FUNCTION), (machine.word(place + _QUEUE) + 8 * index,))
        machine.set_byte(_RUNNING, above)


# Timers -----------------------------------------------------------------------------------------------------


def _set_function(machine: Machine) -> None:
    """``ets_timer_setfn``: what a timer calls; it is in no list then."""
    timer = machine.arg(0)
    machine.set_word(timer + _CALLED, machine.arg(1))
    machine.set_word(timer + _ARGUMENT, machine.arg(2))
    _forget(machine, timer)


def _forget(machine: Machine, timer: int) -> None:
    machine.set_word(timer + _NEXT, _NOT_LISTED)
    machine.set_word(timer + _MOMENT, 0)
    machine.set_word(timer + _PERIOD, 0)


def _failed(machine: Machine, line: int) -> Steps:
    """An assertion; it prints the line as a string, which mostly is an exception."""
    yield Call(_PRINT, (_FILE_AND_LINE, _FILE, line))
    yield from stopped(machine)
    return None


def _insert(machine: Machine, moment: int, timer: int) -> Steps:
    before, after = 0, machine.word(_FIRST)
    while after and _signed(moment - machine.word(after + _MOMENT)) > 0:
        before, after = after, machine.word(after + _NEXT)
    machine.set_word(timer + _NEXT, after)
    machine.set_word(timer + _MOMENT, moment)
    if before:
        machine.set_word(before + _NEXT, timer)
    else:
        machine.set_word(_FIRST, timer)
        _set_alarm(machine, moment)
    if after == timer:
        yield from _failed(machine, _LISTED_TWICE)
    return None


def _set_alarm(machine: Machine, moment: int) -> None:
    now = machine.word(_FRC2_COUNT)
    left = _signed(moment - now)
    if left <= 0:
        moment = now + _SOON
    elif left <= _SOON:
        moment += _LATER
    machine.set_word(_FRC2_ALARM, moment)


def _timer_insert(machine: Machine) -> Steps:
    """``timer_insert``: put a timer into the list of what is due, by its moment."""
    return (yield from _insert(machine, machine.arg(0), machine.arg(1)))


def _ticks(time: int) -> int:
    if not time:
        return 0
    if time <= _EXACT_BELOW:
        return time * _TICKS_PER_S // 1000 + 1
    return (time & 3) * _TICKS_PER_1024_US + (time >> 2) * _TICKS_PER_4_US & _WORD


def _arm(machine: Machine) -> Steps:
    """``ets_timer_arm``: call in so many milliseconds, or again and again."""
    timer, time, again = (machine.arg(number) for number in range(3))
    if machine.word(timer + _NEXT) != _NOT_LISTED:
        yield from _failed(machine, _ARMED_TWICE)
    ticks = _ticks(time)
    if again:
        machine.set_word(timer + _PERIOD, ticks)
    return (yield from _insert(machine, ticks + machine.word(_FRC2_COUNT) & _WORD, timer))


def _disarm(machine: Machine) -> None:
    """``ets_timer_disarm``: take a timer out of the list, if it is there."""
    timer = machine.arg(0)
    before, listed = 0, machine.word(_FIRST)
    while listed and listed != timer:
        before, listed = listed, machine.word(listed + _NEXT)
    if listed:
        machine.set_word(before + _NEXT if before else _FIRST, machine.word(listed + _NEXT))
    machine.set_word(timer + _NEXT, _NOT_LISTED)
    machine.set_word(timer + _PERIOD, 0)


def _done(machine: Machine) -> Steps:
    """``ets_timer_done``: a timer that is not armed is forgotten."""
    timer = machine.arg(0)
    if machine.word(timer + _NEXT) != _NOT_LISTED:
        yield from _failed(machine, _DONE_ARMED)
    machine.set_word(timer + _CALLED, 0)
    machine.set_word(timer + _ARGUMENT, 0)
    _forget(machine, timer)
    return None


def _handle(machine: Machine) -> Steps:
    """``ets_timer_handler_isr``: what is due is called; then the alarm is that of the next one."""
    while True:
        timer, now = machine.word(_FIRST), machine.word(_FRC2_COUNT)
        if not timer:
            return None
        if _signed(machine.word(timer + _MOMENT) - now) > 0:
            _set_alarm(machine, machine.word(timer + _MOMENT))
            return None
        function = machine.word(timer + _CALLED)
        machine.set_word(_SERVED, timer)
        machine.set_word(_SERVED_FUNCTION, function)
        machine.set_word(_FIRST, machine.word(timer + _NEXT))
        machine.set_word(timer + _NEXT, _NOT_LISTED)
        yield Call(function, (machine.word(timer + _ARGUMENT),))
        period = machine.word(timer + _PERIOD)
        if machine.word(timer + _NEXT) == _NOT_LISTED and period:
            moment = machine.word(timer + _MOMENT) + period & _WORD
            machine.set_word(timer + _MOMENT, moment)
            yield from _insert(machine, moment, timer)


def _on_interrupt(machine: Machine) -> Steps:
    """The interrupt of FRC2: a message for the task of the timers."""
    del machine
    yield Call(_POST, (_TIMER_TASK, 0, 0))
    return None


def _on_message(machine: Machine) -> Steps:
    """The task of the timers."""
    if not machine.word(machine.arg(0)):
        yield Call(_HANDLE, (0,))
    return None


def _init(machine: Machine) -> Steps:
    """``ets_timer_init``: FRC2 counts, and what is due is called by a task."""
    machine.set_word(_FIRST, 0)
    yield Call(_ATTACH, (_TIMER_INTERRUPT, _ISR, 0))
    machine.set_word(_EDGES, machine.word(_EDGES) | _FRC2_EDGE)
    yield Call(_UNMASK, (1 << _TIMER_INTERRUPT,))
    yield Call(_TASK, (_TASK_FUNCTION, _TIMER_TASK, _TIMER_QUEUE, _TIMER_MESSAGES))
    machine.set_word(_FRC2_ALARM, 0)
    machine.set_word(_FRC2_CTRL, _BY_256)
    machine.set_word(_FRC2_LOAD, 0)
    return None


FUNCTIONS: Final = (
    RomFunction(0x4000_0DC0, "ets_set_idle_cb", _set_idle),
    RomFunction(_TASK, "ets_task", _task),
    RomFunction(RUN, "ets_run", _run),
    RomFunction(_POST, "ets_post", _post),
    RomFunction(0x4000_2C48, "ets_timer_setfn", _set_function),
    RomFunction(0x4000_2C64, "timer_insert", _timer_insert),
    RomFunction(0x4000_2CC4, "ets_timer_arm", _arm),
    RomFunction(0x4000_2D40, "ets_timer_disarm", _disarm),
    RomFunction(0x4000_2D80, "ets_timer_done", _done),
    RomFunction(_HANDLE, "ets_timer_handler_isr", _handle),
    RomFunction(_ISR, "the interrupt of the timers", _on_interrupt),
    RomFunction(_TASK_FUNCTION, "the task of the timers", _on_message),
    RomFunction(0x4000_2E68, "ets_timer_init", _init),
)
"""Tasks and timers."""
