"""What a boot log says: verdict, cause and cure.

Judges what :mod:`imgtool.formats.logs.reader` reads, by rules on one boot and then by all boots.  Not a
serial monitor: it has no state, and can be asked again with every line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgtool.chip import FLASH_SIZES
from imgtool.formats.logs.boots import ResetCause
from imgtool.operations.actions import Remark
from imgtool.operations.explain import boot_verdicts, crash_verdicts
from imgtool.operations.explain.boot_series import (
    CRASHES,
    WAKE_UPS,
    Outcomes,
    is_cut,
    series_of,
)
from imgtool.operations.explain.crash_frames import frames_of, mismatch_of
from imgtool.operations.explain.messages.table import read_log
from imgtool.operations.explain.values import LogOutcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgtool.formats.elf.symbols import ElfSymbols
    from imgtool.formats.logs.boots import Boot, BootLog
    from imgtool.formats.logs.crash import Crash
    from imgtool.formats.logs.garbled import Speeds
    from imgtool.operations.actions import Cure
    from imgtool.operations.explain.crash_frames import Frame
    from imgtool.operations.explain.messages.row import Speaker

__all__ = ["Explanation", "explain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a boot log says.

    Attributes:
        verdict: What it comes to.
        sentence: The same as a sentence.
        cause: What is behind it, and how causes can be told apart where there are several.
        cures: What to do, the likeliest first.
        boots: Every start of the chip in the log.
        repeats: How many boots at the end of the log are alike.
        notes: What else is to be said, in sentences.
        crash: The crash that this is about, None if it is about none.
        frames: The code addresses of that crash, in the order of its dump.
        speeds: For a log at the wrong speed: the pairs of speeds that explain it, the likeliest first.
        remarks: The notes with what can be done about them, as data.
    """

    verdict: Verdict
    sentence: str
    cause: str
    cures: tuple[Cure, ...] = ()
    boots: tuple[Boot, ...] = ()
    repeats: int = 0
    notes: tuple[str, ...] = ()
    crash: Crash | None = None
    frames: tuple[Frame, ...] = ()
    speeds: tuple[Speeds, ...] = ()
    remarks: tuple[Remark, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the log shows that the firmware runs or speaks, or that the chip waits to be written."""
        return self.verdict in (Verdict.RUNS, Verdict.SPEAKS, Verdict.DOWNLOAD)

    @property
    def foreign(self) -> bool:
        """Whether this is no boot log of an ESP8266."""
        return not self.boots


def explain(
    log: bytes | str, symbols: Sequence[ElfSymbols] = (), written: Speaker | None = None
) -> Explanation:
    """Say what a boot log comes to, why, and what to do.

    Takes anything: whole logs, pieces of them, several boots, with the prefixes of a monitor, with noise.
    The last boot that says anything decides; a crash counts until another firmware is on the chip.

    Args:
        log: The log as it was recorded, or as text.
        symbols: The linked programs that are on the chip, which name the functions of a crash.
        written: The firmware that is known to be on the chip, which the cures are to fit; None for none.
    """
    found = read_log(log)
    boots = found.boots
    if not boots:
        return _without_boots(found)
    outcomes = Outcomes(boots)
    chosen, outcome, repeats = series_of(boots, outcomes)
    notes = [
        *outcome.notes,
        *_notes(boots, chosen, outcome.verdict),
        *_before(boots, outcomes, chosen, outcome),
        *(_crash_notes(boots, outcomes, chosen) if outcomes[chosen].verdict in CRASHES else ()),
        *_noise_notes(found),
    ]
    crash = _crash_of(boots[chosen], outcome.verdict)
    wrong = mismatch_of(crash, symbols) if crash else None
    frames = frames_of(crash, () if wrong else symbols) if crash else ()
    notes = [*_program_notes(crash, symbols, wrong), *notes, *_unused_notes(crash, symbols, wrong)]
    cures = tuple(
        cure for cure in outcome.cures if cure != crash_verdicts.NAME_FUNCTIONS or not symbols or wrong
    )
    return Explanation(
        verdict=outcome.verdict,
        sentence=_located(outcome.sentence, frames),
        cause=outcome.cause,
        cures=boot_verdicts.fitted(cures or outcome.cures, written),
        boots=boots,
        repeats=repeats,
        notes=_texts(notes),
        crash=crash,
        frames=frames,
        remarks=tuple(notes),
    )


def _program_notes(crash: Crash | None, symbols: Sequence[ElfSymbols], wrong: str | None) -> Iterator[Remark]:
    """Why programs name no functions of a crash; said first, as it is what was asked for."""
    if wrong is not None:
        yield Remark(f"The ELF file cannot be of the firmware that crashed: {wrong}. Its names are left out.")
    elif crash and symbols and not any(program.functions for program in symbols):
        yield Remark("The ELF file names no functions: it was stripped. Give the one that the linker wrote.")


def _unused_notes(crash: Crash | None, symbols: Sequence[ElfSymbols], wrong: str | None) -> Iterator[Remark]:
    """What of programs was not needed, or could not be read when they were asked for names."""
    if crash is None and symbols:
        yield Remark("The ELF file was not needed: there is no crash in this log.")
    if crash is None or wrong is not None:
        return
    if any(program.names_damaged for program in symbols):
        yield Remark(
            "The symbol table of the ELF file is damaged: functions whose names cannot be read have none."
        )
    if any(program.lines_damaged for program in symbols):
        yield Remark(
            "The debug information of the ELF file is damaged, or of a kind that imgtool does not know: what "
            "cannot be read of the source lines is left out."
        )


def _texts(remarks: Sequence[Remark]) -> tuple[str, ...]:
    return tuple(remark.text for remark in remarks)


def _located(sentence: str, frames: Sequence[Frame]) -> str:
    """The sentence with the function that it happened in, where that is known."""
    first = frames[0] if frames else None
    if first is None or first.function is None or first.source not in ("epc1", "pc"):
        return sentence
    place = f" ({first.file}:{first.line})" if first.file else ""
    return f"{sentence.removesuffix('.')}, in {first.function}{place}."


def _crash_of(boot: Boot, verdict: Verdict) -> Crash | None:
    return crash_verdicts.crash_of(boot) if verdict in CRASHES else None


def _crash_notes(boots: Sequence[Boot], outcomes: Outcomes, chosen: int) -> Iterator[Remark]:
    crashed = (index for index, boot in enumerate(boots) if boot.crashes or index == chosen)
    same = sum(outcomes[index].verdict is outcomes[chosen].verdict for index in crashed)
    if same > 1:
        yield Remark(f"{same} of {len(boots)} boots in this log end so.")
    since = len(boots) - 1 - chosen
    if since:
        again = "once" if since == 1 else f"{since} times"
        yield Remark(
            f"The same firmware was started {again} since; a restart comes by itself, and is no cure."
        )


def _before(boots: Sequence[Boot], outcomes: Outcomes, chosen: int, outcome: LogOutcome) -> Iterator[Remark]:
    """That the firmware ran before a boot that says nothing."""
    if outcome.verdict is not Verdict.UNFINISHED or not chosen:
        return
    if outcomes[chosen - 1].verdict in (Verdict.RUNS, Verdict.SPEAKS):
        yield Remark(
            f"The firmware ran before it, from line {boots[chosen - 1].line} on, and something restarted "
            "it: itself, a watchdog, the supply or a hand. What it says from this restart on would tell."
        )


def _noise_notes(found: BootLog) -> Iterator[Remark]:
    if not found.garbled:
        return
    from imgtool.operations.explain.noise_verdicts import noise_note  # noqa: PLC0415 - only for logs with noise

    front = noise_note(found)
    if front is not None:
        yield front


def _without_boots(found: BootLog) -> Explanation:
    from imgtool.operations.explain.noise_verdicts import unread  # noqa: PLC0415 - only for logs that cannot be read

    result = unread(found)
    verdict, sentence, cause, cures, notes = result.outcome
    repeats = len(result.boots)
    return Explanation(
        verdict=verdict,
        sentence=sentence,
        cause=cause,
        cures=cures,
        boots=result.boots,
        repeats=repeats,
        notes=_texts(notes),
        speeds=result.speeds,
        remarks=notes,
    )


def _notes(boots: Sequence[Boot], chosen: int, verdict: Verdict) -> Iterator[Remark]:
    boot = boots[chosen]
    if len(boots) > 1 and verdict is not Verdict.BOOT_LOOP:
        yield Remark(f"The log has {len(boots)} boots; this is about the one from line {boot.line} on.")
    if is_cut(boots[-1]) and chosen < len(boots) - 1:
        yield Remark(f"The last boot, from line {boots[-1].line} on, is cut before it says anything.")
    if (
        boot.cause
        and boot.cause.code == ResetCause.WATCHDOG
        and verdict not in (Verdict.BOOT_LOOP, Verdict.WATCHDOG)
    ):
        yield Remark("The hardware watchdog ended the run before this boot: it had hung, or waited too long.")
    if boot.cause and boot.cause.code in WAKE_UPS:
        yield Remark("The chip woke up from deep sleep, which starts it like a reset.")
    yield from _rf_cal_notes(boot)
    lines = [segment.line for each in boots for segment in each.segments if not segment.consistent]
    if lines:
        yield Remark(
            f"The numbers of line {lines[0]} do not agree with each other: characters of the log were lost "
            "or changed."
        )
    if boot.has("first-failed") or any(each.has("first-failed") for each in boots[:chosen]):
        yield Remark("The boot loader gave up one slot and went on with the other one.")


def _rf_cal_notes(boot: Boot) -> Iterator[Remark]:
    if boot.rf_cal is None:
        return
    number, size = boot.rf_cal.sector, boot.rf_cal.flash_size
    header = boot.loader.flash_size if boot.loader else None
    if size is None:
        yield Remark(
            f"RF-cal sector {number} is a place of the vendor's own: it does not tell the flash size."
        )
    elif header is not None and _bytes_of(header) != _bytes_of(size):
        yield Remark(f"RF-cal sector {number} is that of {size}, but the boot loader says {header}.")


def _bytes_of(name: str) -> int:
    return next((size.bytes for size in FLASH_SIZES if size.name == name), 0)
