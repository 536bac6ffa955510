"""Reset sequences as data: how DTR and RTS bring the chip into its ROM loader, or boot it from flash.

Not the protocol that is spoken then.  The circuit is that of NodeMCU boards: two transistors, so that RTS
alone pulls EN (a reset), DTR alone pulls GPIO0 (the ROM loader, if it is low when EN rises), and both
together pull neither.
https://docs.espressif.com/projects/esptool/en/latest/esp8266/advanced-topics/boot-mode-selection.html

From RTS alone to DTR alone one line at a time, the way leads over a state in which neither pin is pulled.  EN
rises then, and the capacitor at it decides: the loader is reached where EN takes longer than the line that
comes second.  No order of the lines avoids that state; what can be done is to keep it short, and to keep
GPIO0 low for long after it (:data:`APART` and the two behind it).

The times are those that tools in the field use; none was measured on a board by this project.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from imgtool.device.wire import Lines, losses
from imgtool.errors import FormatError

if TYPE_CHECKING:
    from imgtool.device.wire import Wire

__all__ = [
    "APART",
    "APART_DTR",
    "APART_RTS",
    "CLASSIC",
    "CLASSIC_LONG",
    "HARD_RESET",
    "TIGHT",
    "TIGHT_LONG",
    "WITHOUT_RESET",
    "Approach",
    "Round",
    "Sequence",
    "Step",
    "approach_by",
    "approach_for",
    "held",
    "parse_sequence",
    "play",
]


@dataclass(frozen=True, slots=True)
class Step:
    """A change of the lines, and a pause after it.

    Attributes:
        dtr: True asserts DTR, which is a low pin; False releases it; None leaves it as the step before
            has it.  Before the first step both lines are released.
        rts: RTS in the same way.  Where both are given, they change at once if the port can.
        wait: Pause, s.
    """

    dtr: bool | None = None
    rts: bool | None = None
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Sequence:
    """Steps and their name.

    Attributes:
        name: What it is called.
        steps: What is played before the chip is asked.
        release: What is played when it has answered, or is given up.
    """

    name: str
    steps: tuple[Step, ...]
    release: tuple[Step, ...] = ()

    @property
    def seconds(self) -> float:
        """How long its pauses take together, s."""
        return sum(step.wait for step in (*self.steps, *self.release))


_HELD: Final = 0.1  # s in reset
_SHORT: Final = 0.05  # s with GPIO0 low after it
_LONG: Final = 0.55  # the same, for boards with a large capacitor at EN: it rises late


def _classic(name: str, wait: float) -> Sequence:
    return Sequence(
        name,
        (
            Step(dtr=False),
            Step(rts=True, wait=_HELD),
            Step(dtr=True),
            Step(rts=False, wait=wait),
            Step(dtr=False),
        ),
    )


def _apart(name: str, *low: Step) -> Sequence:
    released = Step(dtr=False, rts=False)
    return Sequence(name, (released, Step(dtr=False, rts=True, wait=_HELD), *low), (released,))


def _tight(name: str, wait: float) -> Sequence:
    return Sequence(
        name,
        (
            Step(dtr=False, rts=False),
            Step(dtr=True, rts=True),
            Step(dtr=False, rts=True, wait=_HELD),
            Step(dtr=True, rts=False, wait=wait),
            Step(dtr=False, rts=False),
            Step(dtr=False),
        ),
    )


CLASSIC: Final = _classic("classic", _SHORT)
"""One line after the other.  On the way from reset to GPIO0 both are asserted for a moment, and only the
capacitor at EN keeps the chip from starting with GPIO0 high."""

CLASSIC_LONG: Final = _classic("classic-long", _LONG)
TIGHT: Final = _tight("tight", _SHORT)
"""Both lines at once, so that there is no such moment."""

TIGHT_LONG: Final = _tight("tight-long", _LONG)
APART: Final = _apart("apart", Step(dtr=True, rts=False, wait=_SHORT))
"""For ports that change their lines one after the other.  GPIO0 stays low while the chip is asked: that costs
nothing, and catches a chip whose EN rises late, and one that restarts by itself.  From reset to GPIO0 in one
call, so that nothing comes between the lines but what the port does itself."""

APART_RTS: Final = _apart("apart-rts", Step(dtr=False, rts=False), Step(dtr=True, rts=False, wait=_SHORT))
"""The same with RTS first, in a call of its own.  A port that waits between the lines, DTR first, ends the
one call with RTS and begins the next with DTR: what it waits for does not come between them."""

APART_DTR: Final = _apart("apart-dtr", Step(dtr=True, rts=True), Step(dtr=True, rts=False, wait=_LONG))
"""The same with DTR first: for ports that set RTS first.  On boards whose EN and GPIO0 are wired to the lines
directly GPIO0 is low then before EN rises, at any port; and held for long."""

HARD_RESET: Final = Sequence("hard-reset", (Step(rts=True, wait=_HELD), Step(rts=False)))
"""Reset, and boot from flash."""


@dataclass(frozen=True, slots=True)
class Round:
    """A round over reset sequences.

    Attributes:
        sequences: What is tried, in this order; none for asking without a reset.
        patience: Seconds to wait for each answer.
        times: How often the chip is asked after each sequence.
    """

    sequences: tuple[Sequence, ...]
    patience: float
    times: int


@dataclass(frozen=True, slots=True)
class Approach:
    """How a chip is brought into its ROM loader over one kind of port.

    Silence is to be told while people still believe that something happens: after 9 s at most on a port that
    takes no time itself.  esptool takes 8.7 s.

    Attributes:
        rounds: What is tried, one after the other.
        asks: Whether the chip is asked without a reset before each sequence: a chip that waits in its loader
            already is not to be thrown out by a reset that may not bring it back.
    """

    rounds: tuple[Round, ...]
    asks: bool = False

    @property
    def sequences(self) -> tuple[Sequence, ...]:
        """Those of the first round, in which each is tried."""
        return self.rounds[0].sequences

    def replaced(self, change: Callable[[Sequence], Sequence]) -> Approach:
        """The same with each of its sequences changed."""
        rounds = (replace(each, sequences=tuple(map(change, each.sequences))) for each in self.rounds)
        return replace(self, rounds=tuple(rounds))


def approach_by(sequence: Sequence) -> Approach:
    """What tries one sequence again and again, with more patience each time."""
    patience = ((0.1, 4), (0.1, 4), (0.3, 3), (0.3, 3), (0.5, 1))
    return Approach(tuple(Round((sequence,), seconds, times) for seconds, times in patience))


_BY_LINES: Final = {
    # What the quick ones do not reach, more time with GPIO0 low may.
    Lines.TOGETHER: Approach(
        (
            Round((TIGHT, TIGHT_LONG, CLASSIC, CLASSIC_LONG), 0.1, 4),
            Round((TIGHT_LONG, CLASSIC_LONG), 0.2, 2),
        )
    ),
    # The second round holds GPIO0 low for almost three seconds, as long as watchdogs of the SDK take.  What
    # that does not catch needs a hand.
    Lines.APART: Approach(
        (Round((APART, APART_RTS, APART_DTR), 0.1, 3), Round((APART,), 0.5, 4)),
        asks=True,
    ),
    # Over a network each change takes as long as a pause, and so may an answer.
    Lines.SLOW: Approach(
        (Round((CLASSIC_LONG, CLASSIC), 0.3, 3), Round((CLASSIC_LONG, CLASSIC), 0.5, 2)),
    ),
    Lines.NONE: Approach((Round((), 0.1, 5), Round((), 0.3, 5), Round((), 0.5, 5), Round((), 0.5, 2))),
}

WITHOUT_RESET: Final = _BY_LINES[Lines.NONE]
"""What asks and resets nothing."""


def approach_for(wire: Wire, custom: Sequence | None = None) -> Approach:
    """What may bring a chip into its ROM loader; no sequences where DTR and RTS do not reach the chip.

    Args:
        wire: The port.
        custom: The user's own sequence, which is then the only one.
    """
    traits = wire.traits
    approach = _BY_LINES[traits.lines]
    if approach.sequences and custom is not None:
        return approach_by(custom)
    if traits.adapter is not None and not traits.adapter.releases_dtr:
        return approach.replaced(_without_release)
    return approach


def _without_release(sequence: Sequence) -> Sequence:
    steps = list(sequence.steps)
    while steps and steps[-1].dtr is False and not steps[-1].rts:
        steps.pop()
    return Sequence(sequence.name, tuple(steps))


def play(sequence: Sequence, wire: Wire) -> None:
    """Play a sequence to its end; on a port without DTR and RTS nothing happens.

    Raises:
        UnusablePortError: The port is lost.
    """
    with held(sequence, wire):
        pass


@contextmanager
def held(sequence: Sequence, wire: Wire) -> Iterator[None]:
    """Play a sequence, and its release when what is done meanwhile has ended, however it has.

    Raises:
        UnusablePortError: The port is lost.
    """
    if wire.traits.lines is Lines.NONE:
        yield
        return
    state = _set(sequence.steps, wire, (False, False))
    try:
        yield
    finally:
        _set(sequence.release, wire, state)


def _set(steps: tuple[Step, ...], wire: Wire, state: tuple[bool, bool]) -> tuple[bool, bool]:
    """Play steps from a state of DTR and RTS on; the state after them."""
    dtr, rts = state
    for step in steps:
        if (step.dtr, step.rts) != (None, None):
            dtr = dtr if step.dtr is None else step.dtr
            rts = rts if step.rts is None else step.rts
            with losses(wire):
                wire.set_lines(dtr, rts)
        if step.wait:
            wire.clock.sleep(step.wait)
    return dtr, rts


_ITEM: Final = re.compile(
    r"(?P<line>[DR])(?P<on>[01])|U(?P<dtr>[01]),(?P<rts>[01])|W(?P<wait>\d{1,4}(?:\.\d{1,6})?)"
)
_LONGEST_WAIT: Final = 60.0


def parse_sequence(text: str) -> Sequence:
    """Read a sequence that a user has written.

    Args:
        text: Items joined by ``|``: ``D0`` and ``D1`` release and assert DTR, ``R0`` and ``R1`` RTS,
            ``U1,0`` both at once (DTR, RTS), ``W0.1`` waits 0.1 s.  The classic sequence is
            ``D0|R1|W0.1|D1|R0|W0.05|D0``.

    Raises:
        FormatError: An item is none of these, or waits more than a minute.
    """
    return Sequence("custom", tuple(_steps(text)))


def _steps(text: str) -> Iterator[Step]:
    offset = 0
    for item in text.split("|"):
        found = _ITEM.fullmatch(item.strip())
        if found is None:
            raise FormatError(
                "this is no step of a reset sequence",
                source=text,
                offset=offset,
                expected="D0, D1, R0, R1, U0,1 or W0.1",
                found=item or None,
            )
        offset += len(item) + 1
        if found["wait"] is not None:
            seconds = float(found["wait"])
            if seconds > _LONGEST_WAIT:
                raise FormatError(
                    "a reset sequence cannot wait that long", source=text, expected="60 s at most", found=item
                )
            yield Step(wait=seconds)
        elif found["line"] is None:
            yield Step(dtr=found["dtr"] == "1", rts=found["rts"] == "1")
        elif found["line"] == "D":
            yield Step(dtr=found["on"] == "1")
        else:
            yield Step(rts=found["on"] == "1")
