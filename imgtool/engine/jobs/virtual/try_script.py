"""A script typed at the prompt of a firmware on the virtual board: whether all comes that must come.

Not the script's form (script.py) nor the board (imgtool.engine.jobs.virtual.board).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from imgtool.device.events import Event, ignore
from imgtool.engine.documents import document
from imgtool.engine.jobs.virtual.board import VirtualBoard
from imgtool.engine.jobs.virtual.script import Deed, difference, parse_script
from imgtool.engine.jobs.virtual.try_boot import TryRequest, flash_for
from imgtool.engine.results import Output, Row, Table, Tone, Toned, Words
from imgtool.engine.stopping import stoppable
from imgtool.engine.verdicts import DONE, NO
from imgtool.errors import FormatError, NotSaidError
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from imgtool.device.events import Listener
    from imgtool.engine.documents import Document
    from imgtool.engine.inputs import InputFile
    from imgtool.engine.jobs.virtual.script import Step

__all__ = ["Failure", "ScriptResult", "try_script"]

_SHOWN: Final = 12
_START_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The first line of a script that is not as it must be.

    Attributes:
        line: The line, from 1 on; 0 for the first start.
        typed: What was typed; empty for a start.
        expected: What was to come.
        found: What came in its place.
    """

    line: int
    typed: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptResult:
    """What a script came to.

    Attributes:
        name: The script.
        steps: How many steps it has.
        done: How many of them are as they must be.
        failure: The first that is not; None for none.
        seconds: How long the firmware ran, by the chip's clock.
        text: All that it said.
        flash: The flash as it was left.
        request: What was asked for.
    """

    name: str
    steps: int
    done: int
    failure: Failure | None
    seconds: float
    text: str = field(repr=False)
    flash: bytes = field(repr=False)
    request: TryRequest = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether all is as it must be."""
        return self.failure is None

    @property
    def code(self) -> int:
        """The exit code of ``try --script``."""
        return DONE if self.ok else NO

    @property
    def document(self) -> Document:
        """What ``imgtool try --script --json`` prints."""
        return document("try", ok=self.ok, results=[self._fields()])

    def _fields(self) -> dict[str, Any]:
        failure = self.failure
        return {
            "script": self.name,
            "flash_size": len(self.flash),
            "steps": self.steps,
            "done": self.done,
            "seconds": round(self.seconds, 3),
            "failure": None
            if failure is None
            else {
                "line": failure.line,
                "typed": failure.typed,
                "expected": failure.expected,
                "found": failure.found,
            },
            "log": self.text,
        }

    @property
    def words(self) -> Words:
        """Whether all came; else the line, what was to come and what came, and the end of the log."""
        ran = Row("ran", f"{self.seconds:.1f} s of the chip's time, {self.done} of {self.steps} steps")
        failure = self.failure
        if failure is None:
            return Words(Phrase(Name(self.name), ": all is as it must be"), Tone.GOOD, rows=(ran,))
        typed = (Row("typed", failure.typed),) if failure.typed else ()
        lines = self.text.rstrip("\n").split("\n")[-_SHOWN:]
        place = f", line {failure.line}" if failure.line else ", the start"
        return Words(
            Phrase(Name(self.name), place, ": that did not come"),
            Tone.WRONG,
            rows=(*typed, Row("expected", failure.expected), Row("found", failure.found), ran),
            tables=(
                Table(
                    rows=tuple((Toned(_plain(line), Tone.DIM),) for line in lines),
                    title=f"The last {len(lines)} lines that it said",
                ),
            ),
        )

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The flash and the log, where they are asked for."""
        made = []
        if self.request.output is not None:
            made.append(Output(self.request.output, self.flash))
        if self.request.log is not None:
            made.append(Output(self.request.log, self.text.encode()))
        return tuple(made)


def _plain(line: str) -> str:
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in line.expandtabs())


def try_script(request: TryRequest, script: InputFile, on_event: Listener = ignore) -> ScriptResult:
    """Boot a firmware, type a script at its prompt, and compare.

    Args:
        request: What to boot; its seconds are those of a start at most.
        script: The script, UTF-8.
        on_event: Told which line is typed.

    Raises:
        UsageError: The files do not begin at 0, or the size is none of a flash.
        FormatError: A line is none of a script, the ROM is no dump, or nothing could boot from the files.
        LayoutError: The files overlap, or do not fit the flash.
        InterruptedRunError: It was stopped.
    """
    try:
        steps = parse_script(script.data.decode(), script.name)
    except UnicodeDecodeError as error:
        raise FormatError("a script is a text in UTF-8", source=script.name, offset=error.start) from error
    board = VirtualBoard(flash_for(request), rom=request.rom)
    failure = None
    done = 0
    with stoppable("the script was not run to its end"):
        for step in steps:
            on_event(Event("try", message=step.typed or step.deed.value))
            failure = _failure(step, board, max(request.seconds, step.seconds))
            if failure is not None:
                break
            done += 1
    return ScriptResult(
        name=script.name,
        steps=len(steps),
        done=done,
        failure=failure,
        seconds=board.seconds,
        text=board.text,
        flash=board.flash,
        request=request,
    )


def _failure(step: Step, board: VirtualBoard, start: float) -> Failure | None:
    """Do a step; what is not as it must be."""
    try:
        said = _said(step, board, start)
    except NotSaidError as error:
        found = error.lines[-1].strip() if error.lines else "nothing"
        expected = f"{error.wanted}, in {error.seconds:g} s of the chip's time"
        if error.missing is not None:
            found = f"an end: the firmware needs {error.missing} of the boot ROM, which is not there"
        return Failure(line=step.line, typed=step.typed, expected=expected, found=found)
    wrong = difference(step, said)
    if wrong is None:
        return None
    answer, came = wrong
    expected = "no further line"
    if answer is not None:
        expected = f"/{answer.text}/" if answer.pattern is not None else answer.text or ""
    line = step.line if answer is None else answer.line
    return Failure(
        line=line, typed=step.typed, expected=expected, found="no further line" if came is None else came
    )


def _said(step: Step, board: VirtualBoard, start: float) -> str:
    match step.deed:
        case Deed.TYPE:
            return board.ask(step.typed, step.seconds)
        case Deed.RESTART:
            return board.restart(start)
        case _:
            return board.boot(start)
