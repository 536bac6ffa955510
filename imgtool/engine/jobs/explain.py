"""What a boot log says: verdict, cause, cures; its boots, its crash and the functions of it.

Not the explaining (imgtool.operations.explain), and not its words (imgtool.engine.boot_logs).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from imgtool.device.events import Event, ignore
from imgtool.engine import boot_logs
from imgtool.engine.results import Row, Tone, Words
from imgtool.engine.stopping import stoppable
from imgtool.engine.verdicts import code_of_explanation

if TYPE_CHECKING:
    from imgtool.device.events import Listener
    from imgtool.engine.documents import Document
    from imgtool.engine.inputs import InputFile
    from imgtool.engine.results import Output, Table
    from imgtool.formats.logs.boots import Boot
    from imgtool.formats.logs.crash import Crash
    from imgtool.operations.explain.log import Explanation

__all__ = ["ExplainRequest", "ExplainResult", "explain", "explanation_fields"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainRequest:
    """A boot log to explain.

    Attributes:
        log: The log as it was recorded, or as text.
        name: What to call it: its path, ``-`` for one that has none.
        elfs: The linked programs that are on the chip, which name the functions of a crash.
    """

    log: bytes | str = field(repr=False)
    name: str = "-"
    elfs: tuple[InputFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainResult:
    """A boot log explained.

    Attributes:
        name: What the log is called.
        explanation: What it says.
    """

    name: str
    explanation: Explanation

    @property
    def ok(self) -> bool:
        """Whether the firmware starts, or the chip waits to be written."""
        return self.explanation.ok

    @property
    def code(self) -> int:
        """The exit code of ``explain``."""
        return code_of_explanation(self.explanation)

    @property
    def document(self) -> Document:
        """What ``explain`` prints under ``--json``."""
        from imgtool.engine.documents import document  # noqa: PLC0415 - for programs alone

        return document("explain", ok=self.ok, results=[explanation_fields(self.name, self.explanation)])

    @property
    def words(self) -> Words:
        """Verdict, cause, cures; a table of the crash, and one of each of the last boots."""
        found = self.explanation
        return Words(
            verdict=found.sentence,
            tone=Tone.GOOD if found.ok else Tone.WRONG if found.boots else Tone.CARE,
            rows=(Row("cause", found.cause),),
            tables=_tables(found),
            notes=found.notes,
            cures=found.cures,
        )

    @property
    def outputs(self) -> tuple[Output, ...]:
        """No files."""
        return ()


def explain(request: ExplainRequest, on_event: Listener = ignore) -> ExplainResult:
    """Say what a boot log comes to, why, and what to do.

    Args:
        request: The log.
        on_event: Told the name of each file when its turn comes.

    Raises:
        FormatError: A file that should be a linked program is none.
        InterruptedRunError: It was stopped.
    """
    steps = len(request.elfs) + 1
    symbols = []
    with stoppable("the log was not explained"):
        for done, elf in enumerate(request.elfs):
            on_event(Event("explain", done, steps, elf.name))
            symbols.append(boot_logs.symbols_of(elf))
        on_event(Event("explain", steps - 1, steps, request.name))
        return ExplainResult(name=request.name, explanation=boot_logs.explain(request.log, symbols))


def _tables(found: Explanation) -> tuple[Table, ...]:
    crash = () if found.crash is None else boot_logs.crash_tables(found.crash, found.frames)
    return (*crash, *boot_logs.boot_tables(found.boots))


def explanation_fields(path: str, result: Explanation) -> dict[str, Any]:
    """The result of ``explain``."""
    from imgtool.engine.documents import cure_fields  # noqa: PLC0415 - for programs alone

    return {
        "path": path,
        "verdict": str(result.verdict),
        "sentence": result.sentence,
        "cause": result.cause,
        "cures": [cure_fields(cure) for cure in result.cures],
        "notes": list(result.notes),
        "repeats": result.repeats,
        "boots": [_boot_fields(boot) for boot in result.boots],
        "crash": None if result.crash is None else _crash_fields(result.crash),
        "frames": [frame._asdict() for frame in result.frames],
        "speeds": [speeds._asdict() for speeds in result.speeds],
    }


def _crash_fields(crash: Crash) -> dict[str, Any]:
    return {
        "line": crash.line,
        "kind": crash.kind,
        "text": crash.text,
        "exception": crash.exception,
        "detail": crash.detail,
        "registers": dict(crash.registers),
        "context": crash.context,
        "stack": [word._asdict() for word in crash.stack],
        "backtrace": list(crash.backtrace),
        "allocation": None if crash.allocation is None else crash.allocation._asdict(),
        "earlier": crash.earlier,
    }


def _boot_fields(boot: Boot) -> dict[str, Any]:
    return {
        "line": boot.line,
        "cause": None if boot.cause is None else boot.cause._asdict(),
        "mode": None if boot.mode is None else boot.mode._asdict(),
        "segments": [segment._asdict() for segment in boot.segments],
        "checksum": boot.checksum,
        "loader": None if boot.loader is None else boot.loader._asdict(),
        "rf_cal": None if boot.rf_cal is None else boot.rf_cal._asdict(),
        "init_data_byte": boot.init_data_byte,
        "flash_size": boot.flash_size,
        "messages": [message._asdict() for message in boot.messages],
        "firmware": [{"line": line, "text": text} for line, text in boot.firmware],
        "firmware_lines": boot.firmware_lines,
        "noise": boot.noise,
        "crashes": boot.crash_count,
    }
