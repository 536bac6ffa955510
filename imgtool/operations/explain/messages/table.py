"""All messages as one table, and what those of a boot say together.

The rows themselves are in the files beside this one, by firmware; the order here is the order in which
failures are asked about.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from imgtool.formats.logs.reader import read
from imgtool.operations.actions import Remark
from imgtool.operations.explain.messages import (
    arduino,
    at,
    crashes,
    espressif_loader,
    home,
    micropython,
    mongoose,
    nodemcu,
    nonos_sdk,
    open_rtos,
    others,
    own_words,
    rboot,
    rom,
    rtos_loader,
    rtos_sdk,
    sming,
)
from imgtool.operations.explain.messages.row import Message, Speaker, Told, Turn, Weight
from imgtool.operations.explain.values import LogOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from imgtool.formats.logs.boots import Boot, BootLog, BootMessage

__all__ = [
    "MESSAGES",
    "evidence_of",
    "failure_of",
    "filled",
    "is_piece",
    "known_lines",
    "message_notes",
    "other_words",
    "outcome_of",
    "read_log",
    "row_of",
    "rows_of",
    "speaker_of",
]

MESSAGES: tuple[Message, ...] = (
    *rom.ROWS,
    *espressif_loader.ROWS,
    *rboot.ROWS,
    *rtos_loader.ROWS,
    *nonos_sdk.ROWS,
    *rtos_sdk.ROWS,
    *open_rtos.ROWS,
    *crashes.ROWS,
    *arduino.ROWS,
    *nodemcu.ROWS,
    *micropython.ROWS,
    *at.ROWS,
    *home.ROWS,
    *sming.ROWS,
    *mongoose.ROWS,
    *others.ROWS,
    *own_words.ROWS,
)
"""Every line that means one thing by itself."""

# What is printed by cores that firmware of many names is made with: the firmware's own name says more.
_GENERAL: Final = (Speaker.NONOS_SDK, Speaker.ARDUINO, Speaker.EBOOT, Speaker.WIFI_MANAGER, Speaker.VENDOR)


_NUMBERS: Final = re.compile(r"[0-9a-f_]*[0-9][0-9a-f_]*")
_MONTHS: Final = re.compile(r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\b")
_LEAST_PIECE: Final = 6  # characters


class _Index:
    """The rows by their names, and the forms of them for the reader of logs; made once for a table."""

    def __init__(self, rows: tuple[Message, ...]) -> None:
        self.rows = rows
        self.by_name = {row.name: row for row in rows}
        self.order = {row.name: number for number, row in enumerate(rows)}
        self.forms = tuple(row.line_form for row in rows if row.form)
        self.examples = tuple(_numberless(row.example) for row in rows if row.speaker is not Speaker.ANY)


_indexes: list[_Index] = []


def _index() -> _Index:
    if not _indexes or _indexes[0].rows is not MESSAGES:
        _indexes[:] = [_Index(MESSAGES)]
    return _indexes[0]


def row_of(name: str) -> Message | None:
    """The row of a kind of message; None for the lines that a boot consists of."""
    return _index().by_name.get(name)


def is_piece(words: str) -> bool:
    """Whether words may be the end of a known line whose beginning was lost, as where the speed changed."""
    end = _numberless(words)
    return len(end) >= _LEAST_PIECE and any(example.endswith(end) for example in _index().examples)


def _numberless(words: str) -> str:
    """A line without what differs from one to the next: numbers, months, spaces."""
    return _NUMBERS.sub("0", _MONTHS.sub("0", " ".join(words.lower().split())))


def read_log(log: bytes | str) -> BootLog:
    """Read a log, with the lines of the table as messages."""
    return read(log, _index().forms)


def known_lines(boot: Boot) -> Iterator[tuple[Message, BootMessage]]:
    """The messages of a boot with their rows, in order; not the words that mean nothing where they stand."""
    speakers: set[Speaker] = set()
    for message in boot.messages:
        row = row_of(message.kind)
        if row is None or not _means_something(row, speakers):
            continue
        if not row.behind:
            speakers.add(row.speaker)
        yield row, message


def _means_something(row: Message, speakers: set[Speaker]) -> bool:
    """Whether a line means something behind lines of these."""
    return speakers.isdisjoint(row.never_behind) and not (row.behind and speakers.isdisjoint(row.behind))


def other_words(boot: Boot) -> Iterator[tuple[int, str]]:
    """Lines that a row knows, and that mean nothing where they stand: they are some other firmware's own."""
    known = {message for _, message in known_lines(boot)}
    return (
        (message.line, message.text)
        for message in boot.messages
        if message not in known
        and (row := row_of(message.kind)) is not None
        and (row.behind or row.never_behind)
    )


def rows_of(boot: Boot, *weights: Weight) -> Iterator[tuple[Message, BootMessage]]:
    """The messages of a boot whose rows have one of these weights, in the order of the log."""
    return ((row, message) for row, message in known_lines(boot) if row.weight in weights)


def evidence_of(boot: Boot, *weights: Weight, after: int = 0) -> BootMessage | None:
    """The last message behind a line of the log that shows that the application runs, or has begun.

    Args:
        boot: The boot.
        weights: What counts.
        after: Line of the log.
    """
    shown = [message for _, message in rows_of(boot, *(weights or (Weight.RUNS,))) if message.line > after]
    return shown[-1] if shown else None


def failure_of(boot: Boot, turn: Turn) -> LogOutcome | None:
    """What the first row of a turn says that the boot has failed by."""
    told: dict[str, list[BootMessage]] = {}
    for row, message in rows_of(boot, Weight.FAILS):
        if row.turn is turn and not _is_judged_apart(row):
            told.setdefault(row.name, []).append(message)
    for row in _in_order(told):
        if not _got_over(boot, row, told[row.name][-1].line):
            return outcome_of(row, boot, told[row.name][0])
    return None


def _in_order(names: Iterable[str]) -> list[Message]:
    """Rows in the order of the table."""
    index = _index()
    return [index.by_name[name] for name in sorted(names, key=index.order.__getitem__)]


def _is_judged_apart(row: Message) -> bool:
    """Whether a rule of its own makes more of a line than its row can."""
    return row.crash or (isinstance(row.says, LogOutcome) and not row.says.cause)


def _got_over(boot: Boot, row: Message, line: int) -> bool:
    """Whether a boot went on all the same behind a line that fails it."""
    if any(message.line > line and message.kind in row.unless for message in boot.messages):
        return True
    return row.until_runs and evidence_of(boot, after=line) is not None


def outcome_of(row: Message, boot: Boot, message: BootMessage) -> LogOutcome:
    """What a row says of a message, with the words and numbers of the log."""
    if not isinstance(row.says, LogOutcome):
        raise TypeError(f"{row.name} comes to nothing")
    return filled(row.says, row, boot, message)


def filled(outcome: LogOutcome, row: Message, boot: Boot, message: BootMessage) -> LogOutcome:
    """An outcome with the words and numbers of a message."""
    told = Told(boot, message, _groups(row, message))
    words = {**told.groups, "text": " ".join(message.text.split()), "line": message.line}
    outcome = outcome._replace(
        sentence=outcome.sentence.format_map(words), cause=outcome.cause.format_map(words)
    )
    return outcome if row.refine is None else row.refine(outcome, told)


def _groups(row: Message, message: BootMessage) -> dict[str, str]:
    found = re.search(row.form, message.text) if row.form else None
    return {} if found is None else {name: value or "" for name, value in found.groupdict().items()}


def message_notes(boot: Boot) -> Iterator[Remark]:
    """Remarks on lines that are worth a word, each once, in the order of the table."""
    first: dict[str, BootMessage] = {}
    for row, message in known_lines(boot):
        if row.weight in (Weight.NOTED, Weight.REPEATS) or (row.weight is Weight.EARLIER and row.form):
            first.setdefault(row.name, message)
    for row in _in_order(first):
        remark = row.once if row.weight is Weight.REPEATS else row.says
        if isinstance(remark, Remark):
            message = first[row.name]
            words = {**_groups(row, message), "text": " ".join(message.text.split()), "line": message.line}
            yield remark._replace(text=remark.text.format_map(words))


def speaker_of(boot: Boot) -> Speaker | None:
    """Which firmware a boot is of, by the lines that only it prints; else its SDK or its boot loader."""
    found = dict.fromkeys(row.speaker for row, _ in known_lines(boot))
    speakers = [speaker for speaker in found if speaker not in (Speaker.ANY, Speaker.ROM)]
    speakers.sort(key=lambda speaker: (speaker.stage, speaker not in _GENERAL))
    return speakers[-1] if speakers else None
