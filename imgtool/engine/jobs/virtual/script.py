r"""A script for a firmware's prompt: what is typed, and what must come.

Not its run (try_script.py).  A line each::

    # a comment
    > print(1+1)       typed at the prompt
    2                  a line of the answer, as it is
    /heap: \d+/         a line of the answer by a pattern
    ...                any lines, or none
    :wait 30           answers have 30 s of the chip's time from here on, not 10
    :restart           node.restart(), up to the prompt
    :reset             reset by its pin, up to the prompt

Where lines stand behind what is typed, the answer is these and no others; what is not told is not looked at.
Lines in front of the first that is typed, and behind a start, must come in what a start says, in this order.
A line that begins with one of these signs and is meant as it is begins with a backslash.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from imgtool.errors import FormatError

__all__ = ["ANY", "Answer", "Deed", "Step", "difference", "parse_script"]

_PATTERN: Final = re.compile(r"/(.*)/\s*")
_SECONDS: Final = 10.0
_LONGEST: Final = 3600.0


class Deed(Enum):
    """What a step begins with."""

    START = "start"
    TYPE = "type"
    RESTART = "restart"
    RESET = "reset"


class Answer(NamedTuple):
    """A line that must come.

    Attributes:
        line: The line of the script, from 1 on.
        text: The line, or the pattern; None for any lines.
        pattern: The pattern, where it is one.
    """

    line: int
    text: str | None
    pattern: re.Pattern[str] | None = None

    def fits(self, said: str) -> bool:
        """Whether a line of the firmware's is it; white space at the ends does not count."""
        if self.pattern is not None:
            return self.pattern.search(said) is not None
        return said.strip() == (self.text or "").strip()


ANY: Final = None
"""The text of an answer that stands for any lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that is done, and what must come of it.

    Attributes:
        line: The line of the script, from 1 on; 0 for the first start.
        deed: What is done.
        typed: What is typed.
        seconds: How long its answer has, by the chip's clock.
        answers: What must come, in order; nothing is looked at where there is none.
    """

    line: int
    deed: Deed
    typed: str = ""
    seconds: float = _SECONDS
    answers: tuple[Answer, ...] = ()

    @property
    def is_start(self) -> bool:
        """Whether other lines may stand between those that must come."""
        return self.deed is not Deed.TYPE


def parse_script(text: str, name: str) -> tuple[Step, ...]:
    """The steps of a script.

    Args:
        text: All of it.
        name: What to call it in errors.

    Raises:
        FormatError: A line of it is none of a script; the line is in the message.
    """
    steps: list[Step] = []
    answers: list[Answer] = []
    current = Step(line=0, deed=Deed.START)
    seconds = _SECONDS

    def done(following: Step) -> Step:
        steps.append(_with(current, answers))
        answers.clear()
        return following

    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.rstrip()
        if not line or line.startswith("#"):
            continue
        if line.startswith(">"):
            typed = line[1:].removeprefix(" ")
            current = done(Step(line=number, deed=Deed.TYPE, typed=typed, seconds=seconds))
        elif line.startswith(":"):
            word, _, argument = line[1:].strip().partition(" ")
            if word == "wait":
                seconds = _waits(argument, number, name)
            elif word in (Deed.RESTART.value, Deed.RESET.value) and not argument:
                current = done(Step(line=number, deed=Deed(word), seconds=seconds))
            else:
                raise _refused(name, number, ":wait SECONDS, :restart or :reset", line)
        else:
            answers.append(_answer(line, number, name))
    steps.append(_with(current, answers))
    return tuple(steps)


def _with(step: Step, answers: list[Answer]) -> Step:
    return Step(
        line=step.line, deed=step.deed, typed=step.typed, seconds=step.seconds, answers=tuple(answers)
    )


def _waits(argument: str, number: int, name: str) -> float:
    try:
        seconds = float(argument)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= _LONGEST:
        raise _refused(name, number, f"seconds, at most {_LONGEST:g}", argument or "nothing")
    return seconds


def _answer(line: str, number: int, name: str) -> Answer:
    if line == "...":
        return Answer(number, ANY)
    if line.startswith("/"):
        match = _PATTERN.fullmatch(line)
        if match is None:
            raise _refused(name, number, "a pattern between slashes", line)
        try:
            return Answer(number, match[1], re.compile(match[1]))
        except re.error as error:
            raise _refused(name, number, "a pattern of Python's re", f"{match[1]} ({error})") from error
    return Answer(number, line.removeprefix("\\"))


def _refused(name: str, number: int, expected: str, found: str) -> FormatError:
    return FormatError(f"line {number} is none of a script", source=name, expected=expected, found=found)


def difference(step: Step, said: str) -> tuple[Answer | None, str | None] | None:
    """What of an answer is not as it must be.

    Args:
        step: What must come.
        said: What came.

    Returns:
        None where all is right; else the line that was to come, None for no further one, and the line that
        came in its place, None for none.
    """
    lines = [line for line in said.split("\n") if line.strip()]
    at = 0
    loose = step.is_start
    for answer in step.answers:
        if answer.text is ANY:
            loose = True
            continue
        if loose:
            found = next((number for number in range(at, len(lines)) if answer.fits(lines[number])), None)
            if found is None:
                return answer, lines[-1] if at < len(lines) else None
            at = found + 1
        elif at >= len(lines) or not answer.fits(lines[at]):
            return answer, lines[at] if at < len(lines) else None
        else:
            at += 1
        loose = step.is_start
    if step.answers and not loose and at < len(lines):
        return None, lines[at]
    return None
