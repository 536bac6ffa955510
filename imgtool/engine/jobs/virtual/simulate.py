"""A virtual chip for other programs: where it can be reached, and what a replay of its traffic came to.

Not the chip and not its serving (imgtool.virtual): whoever serves opens ports and files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgtool.device.events import Event, ignore
from imgtool.engine.documents import document, replay_fields
from imgtool.engine.results import Row, Tone, Words
from imgtool.engine.stopping import stoppable
from imgtool.engine.verdicts import DONE, NO

if TYPE_CHECKING:
    from imgtool.device.events import Listener
    from imgtool.engine.documents import Document
    from imgtool.engine.inputs import InputFile
    from imgtool.engine.results import Output
    from imgtool.virtual.chip.machine import VirtualChip
    from imgtool.virtual.line.replay import ReplayDifference

__all__ = ["ReplayResult", "ServedResult", "replay"]


@dataclass(frozen=True, slots=True)
class ServedResult:
    """A virtual chip that can be reached.

    Attributes:
        address: Where.
    """

    address: str

    @property
    def ok(self) -> bool:
        """Yes."""
        return True

    @property
    def code(self) -> int:
        """The exit code of ``simulate``, whenever it ends."""
        return DONE

    @property
    def document(self) -> Document:
        """Where it can be reached."""
        return document("simulate", ok=True, results=[{"address": self.address}])

    @property
    def words(self) -> Words:
        """Where it can be reached."""
        return Words(self.address)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """No files."""
        return ()


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """A record of traffic, played to a fresh chip.

    Attributes:
        name: Name of the record.
        lines: How many lines it has.
        difference: The first answer that is not as recorded; None for none.
    """

    name: str
    lines: int
    difference: ReplayDifference | None

    @property
    def ok(self) -> bool:
        """Whether all answers are as recorded."""
        return self.difference is None

    @property
    def code(self) -> int:
        """The exit code of ``simulate --replay``."""
        return DONE if self.ok else NO

    @property
    def document(self) -> Document:
        """What ``simulate --replay`` prints under ``--json``."""
        fields = replay_fields(self.name, self.lines, self.difference)
        return document("simulate", ok=self.ok, results=[fields])

    @property
    def words(self) -> Words:
        """Whether all answers are as recorded; else the first that is not, before and now."""
        if self.difference is None:
            return Words(f"{self.name}: {self.lines} lines, all answers as recorded", Tone.GOOD)
        rows = (
            Row("recorded", self.difference.expected.hex(" ")),
            Row("now", self.difference.found.hex(" ")),
        )
        verdict = f"{self.name}: line {self.difference.line}: the chip answers otherwise"
        return Words(verdict, Tone.WRONG, rows=rows)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """No files."""
        return ()


def replay(chip: VirtualChip, record: InputFile, on_event: Listener = ignore) -> ReplayResult:
    """Play a record of traffic to a chip, and compare what it says.

    Args:
        chip: A chip that is as the record's was.
        record: The record.
        on_event: Told that it begins.

    Raises:
        FormatError: It is no record.
        InterruptedRunError: It was stopped.
    """
    from imgtool.virtual.line.link import VirtualLine  # noqa: PLC0415 - who serves a chip plays no record
    from imgtool.virtual.line.replay import replay as play  # noqa: PLC0415 - likewise

    lines = record.data.decode("utf-8", "replace").splitlines()
    with stoppable():
        on_event(Event("simulate", 0, len(lines), record.name))
        difference = play(lines, VirtualLine(chip))
    return ReplayResult(record.name, len(lines), difference)
