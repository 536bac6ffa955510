"""What a job gives back: its document, its words, its files; the same shape for all jobs.

No job is here, and nothing is drawn: a terminal makes colours of a tone, a page makes classes of it.  Every
start makes these classes, so they are named tuples: those are made ten times as fast as dataclasses.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from imgtool.engine.documents import Document
    from imgtool.formats.reading import Finding
    from imgtool.operations.actions import Cure

__all__ = ["Cell", "Output", "Result", "Row", "Table", "Tone", "Toned", "Words"]


class Tone(StrEnum):
    """How something is meant: what a colour says on a terminal."""

    PLAIN = "plain"
    GOOD = "good"
    CARE = "care"
    WRONG = "wrong"
    WORK = "work"  # something is done to a place, neither good nor bad
    DIM = "dim"


class Toned(NamedTuple):
    """A text, and how it is meant."""

    text: str
    tone: Tone


Cell = str | Toned
"""One cell of a table."""


class Row(NamedTuple):
    """One thing that is known: what it is, and what is known of it."""

    name: str
    text: str


class Table(NamedTuple):
    """Several things of a kind, a row each.

    Attributes:
        rows: As many cells in each as in all others.
        head: What stands above the columns; empty for nothing.
        right: Numbers of the columns that hold numbers.
        title: What the table is of; empty where that is clear.
        below: A sentence on what is left out of it; empty for nothing.
        lead: A sentence on it that stands before the rows; empty for nothing.
    """

    rows: tuple[tuple[Cell, ...], ...]
    head: tuple[str, ...] = ()
    right: tuple[int, ...] = ()
    title: str = ""
    below: str = ""
    lead: str = ""


class Words(NamedTuple):
    """What a person is told of a result.

    Attributes:
        verdict: What it comes to, on one line.
        tone: How that is meant.
        rows: What is known, a row for each thing.
        tables: What there are several of.
        changes: How what was made differs from what was given, a sentence each.
        findings: What is to be said of it, errors first.
        notes: Sentences about the run.
        cures: What can be done, in this order; their actions are data, for who has buttons.
    """

    verdict: str
    tone: Tone = Tone.PLAIN
    rows: tuple[Row, ...] = ()
    tables: tuple[Table, ...] = ()
    changes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    cures: tuple[Cure, ...] = ()


class Output(NamedTuple):
    """A file that a job has made: its name as the request has it, and its bytes."""

    name: str
    data: bytes


class Result(Protocol):
    """What every job gives back, beside fields of its own."""

    @property
    def ok(self) -> bool:
        """Whether the answer is yes, as everything holds or all is done."""

    @property
    def code(self) -> int:
        """The exit code of its command, by docs/exit-codes.md."""

    @property
    def document(self) -> Document:
        """What its command prints under ``--json``."""

    @property
    def words(self) -> Words:
        """What a person is told."""

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The files that it has made, in the order in which they are written."""
