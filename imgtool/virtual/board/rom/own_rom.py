"""The boot ROM of the project's own writing: each function of it runs where the real one has its code.

Not the functions, which stand in the modules beside this one.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.virtual.board.rom.machine import Call, Jump, Machine, Wait

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgtool.virtual.board.rom.machine import Outcome, RomFunction, Steps, Surroundings
    from imgtool.virtual.cpu.full_core import FullCore

__all__ = ["OwnRom"]

_BACK: Final = 0x4000_FFF0  # where calls out return to: nothing of the real ROM's is there
_ARGUMENTS: Final = 2  # the first register of them
_COST: Final = 12  # instructions that a function is taken for, beside what it calls


class _Called(NamedTuple):
    """A function that waits for what it has called.

    Attributes:
        steps: What goes on then.
        caller: Where it returns to itself.
        stack: The stack pointer, by which it is known again.
    """

    steps: Steps
    caller: int
    stack: int


class OwnRom:
    """The functions on a processor.

    Args:
        core: The processor, without a ROM.
        surroundings: The board around it.
        functions: What the ROM is made of.
    """

    def __init__(self, core: FullCore, surroundings: Surroundings, functions: Iterable[RomFunction]) -> None:
        self._core = core
        self._machine = Machine(core, surroundings)
        self._called: list[_Called] = []
        for function in functions:
            core.hooks.setdefault(function.address, partial(self._enter, function))
        core.hooks[_BACK] = self._go_on

    def reset(self) -> None:
        """Forget what is under way."""
        self._called.clear()

    def _enter(self, function: RomFunction) -> None:
        core = self._core
        core.instructions += _COST
        caller = core.a[0]
        done = function.handler(self._machine)
        if done is None or isinstance(done, int | Jump):
            self._end(done, caller)
        else:
            self._resume(done, caller, None)

    def _go_on(self) -> None:
        """A call out has returned, or a wait is over."""
        core = self._core
        core.instructions += 1
        stack = core.a[1]
        while self._called[-1].stack != stack:  # left behind, by a jump out of what it has called
            self._called.pop().steps.close()
        steps, caller, _ = self._called.pop()
        self._resume(steps, caller, core.a[_ARGUMENTS])

    def _resume(self, steps: Steps, caller: int, result: int | None) -> None:
        core = self._core
        try:
            step = next(steps) if result is None else steps.send(result)
        except StopIteration as end:
            self._end(end.value, caller)
            return
        self._called.append(_Called(steps, caller, core.a[1]))
        match step:
            case Call(address, arguments):
                for number, argument in enumerate(arguments):
                    core.a[_ARGUMENTS + number] = argument
                core.a[0], core.pc = _BACK, address
            case Wait(level):
                core.wait(level)
                core.pc = _BACK

    def _end(self, outcome: Outcome, caller: int) -> None:
        core = self._core
        if isinstance(outcome, Jump):
            core.pc = outcome.address
            return
        if outcome is not None:
            core.a[_ARGUMENTS] = outcome & 0xFFFF_FFFF
        core.a[0] = core.pc = caller
