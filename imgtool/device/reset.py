"""Reset sequences as data: how DTR and RTS bring the chip into its ROM loader, or boot it from flash.

Not the protocol that is spoken then.  The circuit is that of NodeMCU boards: two transistors, so that RTS
alone pulls EN (a reset), DTR alone pulls GPIO0 (the ROM loader, if it is low when EN rises), and both
together pull neither.
https://docs.espressif.com/projects/esptool/en/latest/esp8266/advanced-topics/boot-mode-selection.html

The times are those that tools in the field use; none was measured on a board by this project.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imgtool.device.wire import Lines, losses
from imgtool.errors import FormatError

if TYPE_CHECKING:
    from imgtool.device.wire import Wire

__all__ = [
    "CLASSIC",
    "CLASSIC_LONG",
    "HARD_RESET",
    "TIGHT",
    "TIGHT_LONG",
    "Sequence",
    "Step",
    "parse_sequence",
    "play",
    "sequences_for",
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
    """Steps and their name."""

    name: str
    steps: tuple[Step, ...]

    @property
    def seconds(self) -> float:
        """How long its pauses take together, s."""
        return sum(step.wait for step in self.steps)


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
HARD_RESET: Final = Sequence("hard-reset", (Step(rts=True, wait=_HELD), Step(rts=False)))
"""Reset, and boot from flash."""


_BY_LINES: Final = {
    Lines.TOGETHER: (TIGHT, TIGHT_LONG, CLASSIC, CLASSIC_LONG),
    Lines.APART: (CLASSIC, CLASSIC_LONG),
    # Over a network each change takes as long as a pause.
    Lines.SLOW: (CLASSIC_LONG, CLASSIC),
    Lines.NONE: (),
}


def sequences_for(wire: Wire, custom: Sequence | None = None) -> tuple[Sequence, ...]:
    """The sequences that may bring a chip into its ROM loader, in the order in which to try them.

    Args:
        wire: The port.
        custom: The user's own, which is then the only one.

    Returns:
        None at all where DTR and RTS do not reach the chip.
    """
    traits = wire.traits
    order: tuple[Sequence, ...] = _BY_LINES[traits.lines]
    if order and custom is not None:
        return (custom,)
    if traits.adapter is not None and not traits.adapter.releases_dtr:
        return tuple(_without_release(sequence) for sequence in order)
    return order


def _without_release(sequence: Sequence) -> Sequence:
    steps = list(sequence.steps)
    while steps and steps[-1].dtr is False and not steps[-1].rts:
        steps.pop()
    return Sequence(sequence.name, tuple(steps))


def play(sequence: Sequence, wire: Wire) -> None:
    """Play a sequence; on a port without DTR and RTS nothing happens.

    Raises:
        UnusablePortError: The port is lost.
    """
    if wire.traits.lines is Lines.NONE:
        return
    dtr = rts = False
    for step in sequence.steps:
        if (step.dtr, step.rts) != (None, None):
            dtr = dtr if step.dtr is None else step.dtr
            rts = rts if step.rts is None else step.rts
            with losses(wire):
                wire.set_lines(dtr, rts)
        if step.wait:
            wire.clock.sleep(step.wait)


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
