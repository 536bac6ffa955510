"""The tables of docs/boot-messages.md, made from the rows of imgtool/operations/explain/messages.

Not a description of its own: to change a line of the table, change the row.  ``python docs/boot_messages.py``
writes it, ``--check`` says whether it is as it should be.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the rows of this checkout, also where another imgtool is installed

from made_part import run

from imgtool.formats.logs.line_forms import BootStage
from imgtool.operations.actions import Remark
from imgtool.operations.explain.expected import expected_of
from imgtool.operations.explain.messages.row import Speaker, Weight
from imgtool.operations.explain.messages.table import MESSAGES
from imgtool.operations.explain.values import LogOutcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.operations.explain.messages.row import Message

PAGE: Final = ROOT / "docs" / "boot-messages.md"
HEAD: Final = "| Line | Releases | What it means | Known from |\n|---|---|---|---|\n"
COMES_TO: Final = {
    Weight.RUNS: "**runs**",
    Weight.SPEAKS: "speaks",
    Weight.FAILS: "**fails**",
    Weight.REPEATS: "in order once, **fails** start after start",
    Weight.UNCLEAR: "cannot be judged",
    Weight.NOTED: "a note",
    Weight.EARLIER: "a note",
    Weight.NORMAL: "",
}
TITLES: Final = {Speaker.ANY: "Lines of several firmwares, and of none that is known"}


def meaning_of(row: Message) -> str:
    """What a line says, in a cell of the table."""
    if isinstance(row.says, LogOutcome):
        words = f"`{row.says.verdict}`: {row.says.sentence.rstrip('.')}"
    elif isinstance(row.says, Remark):
        words = (
            row.says.text.replace("Line {line} says '{text}': ", "")
            .replace("{text}", "such words")
            .rstrip(".")
        )
    else:
        words = row.says
    over = "; unless a later line shows that it runs" if row.until_runs and row.weight is Weight.FAILS else ""
    lead = f"{COMES_TO[row.weight]}: " if COMES_TO[row.weight] else ""
    return f"{lead}{words}{over}".replace("|", "\\|").replace("{line}", "of the log")


def source_of(row: Message) -> str:
    """Where a line is known from, in a cell of the table."""
    if not row.source.startswith("https://"):
        return row.source
    repository = "/".join(row.source.removeprefix("https://github.com/").split("/")[:2])
    return f"[{repository}]({row.source})" if "github.com" in row.source else f"[page]({row.source})"


def line_of(row: Message) -> str:
    """A line of the table."""
    shown = row.example.strip().replace("|", "\\|") or "> "
    return f"| `{shown}` | {row.versions} | {meaning_of(row)} | {source_of(row)} |\n"


def sections() -> Iterator[str]:
    """A table for each firmware, in the order of a boot."""
    for speaker in sorted(Speaker, key=lambda each: (each is Speaker.ANY, each.stage)):
        rows = [row for row in MESSAGES if row.speaker is speaker]
        title = TITLES.get(speaker, re.sub("^the ", "The ", speaker.title))
        yield f"## {title}\n\n"
        if speaker.stage is BootStage.APPLICATION or speaker in (Speaker.RTOS_SDK, Speaker.OPEN_RTOS):
            expected = expected_of(speaker)
            bauds = ", ".join(str(baud) for baud in expected.bauds)
            first = (
                f", at a first start {expected.longest:g} s" if expected.longest > expected.seconds else ""
            )
            yield (
                f"It speaks at {bauds} baud. What shows that it runs: {expected.first}, within "
                f"{expected.seconds:g} s of the reset{first}.\n\n"
            )
        yield HEAD + "".join(map(line_of, rows)) + "\n"


if __name__ == "__main__":
    sys.exit(run(PAGE, "boot_messages.py", "".join(sections())))
