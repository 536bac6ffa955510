"""What one boot of a log comes to: all rules in order, and those on what is shown where nothing has failed.

A verdict needs evidence: that a firmware runs is said only of a line that it alone prints.  The rules on
failures are in boot_verdicts.py, sdk_verdicts.py, crash_verdicts.py and panic_verdicts.py; a line that means
one thing by itself is a row in the folder messages.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from imgtool.formats.logs.line_forms import BootStage
from imgtool.operations import actions
from imgtool.operations.actions import FileRole, Unknown, cure, record_log
from imgtool.operations.explain import boot_verdicts, crash_verdicts, panic_verdicts, sdk_verdicts
from imgtool.operations.explain.expected import expected_of
from imgtool.operations.explain.messages.row import SHOW_THEIR_START, Speaker, Turn, Weight
from imgtool.operations.explain.messages.table import (
    evidence_of,
    failure_of,
    is_piece,
    other_words,
    outcome_of,
    row_of,
    rows_of,
    speaker_of,
)
from imgtool.operations.explain.values import INSPECT, RECORD_ROM, LogOutcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgtool.formats.logs.boots import Boot
    from imgtool.operations.actions import Cure

__all__ = ["judged", "own_lines"]

_MOST_QUOTED: Final = 60
_REAL_WORD: Final = re.compile(r"[A-Za-z]{4}")


def judged(boot: Boot) -> LogOutcome:
    """What one boot comes to; the first rule that knows says it."""
    return next(outcome for rule in _RULES if (outcome := rule(boot)) is not None)


def own_lines(boot: Boot) -> tuple[tuple[int, str], ...]:
    """The first readable lines that no row knows; no pieces of known ones, nor what noise makes by chance."""
    said = sorted(each for each in (*boot.firmware, *other_words(boot)) if not is_piece(each[1]))
    if not boot.noise:
        return tuple(said)
    return tuple((line, words) for line, words in said if words.isascii() and _REAL_WORD.search(words))


def _cause(boot: Boot) -> LogOutcome | None:
    return _failed(boot, Turn.CAUSE)


def _result(boot: Boot) -> LogOutcome | None:
    return _failed(boot, Turn.RESULT)


def _failed(boot: Boot, turn: Turn) -> LogOutcome | None:
    found = failure_of(boot, turn)
    if found is None:
        return None
    return found._replace(notes=(*found.notes, *panic_verdicts.firmware_notes(boot)))


def _formatting(boot: Boot) -> LogOutcome | None:
    """NodeMCU formats before its banner: a log without that may be of one that never ends."""
    made = [message.line for message in boot.messages if message.kind == "format"]
    if not made or evidence_of(boot, after=made[-1]):
        return None
    return LogOutcome(
        Verdict.UNFINISHED,
        "The log ends while NodeMCU makes its file system.",
        "That takes up to a minute, once. Where the header states more flash than the chip has, NodeMCU 3.0 "
        "and later erases its own first sectors by it, and stops for ever.",
        (
            cure("Wait for the prompt. If it does not come: ask the chip for its size.", actions.ask_chip()),
            cure(
                "If the header has another size: write an image whose header has the right one.",
                actions.make_flash(FileRole.LOW_HALF, FileRole.HIGH_HALF, size=Unknown.SIZE),
                actions.flash(FileRole.WHOLE_FLASH),
            ),
        ),
        notes=tuple(panic_verdicts.firmware_notes(boot)),
    )


def _unclear(boot: Boot) -> LogOutcome | None:
    """Words of failure that no rule knows, and nothing behind them that shows that the firmware runs."""
    told = list(rows_of(boot, Weight.UNCLEAR))
    if not told or evidence_of(boot, after=told[-1][1].line):
        return None
    row, message = told[0]
    return outcome_of(row, boot, message)._replace(notes=tuple(panic_verdicts.firmware_notes(boot)))


def _runs(boot: Boot) -> LogOutcome | None:
    shown = evidence_of(boot)
    if shown is None:
        return None
    row = row_of(shown.kind)
    speaker = speaker_of(boot) if row is None or row.speaker.stage < BootStage.APPLICATION else row.speaker
    who = "The firmware" if speaker is None or speaker.stage < BootStage.APPLICATION else _named(speaker)
    unseen = (
        ""
        if boot.checksum is not None
        else " The loading is not in the log, or cannot be read: the ROM prints at another speed, 74880 baud."
    )
    return LogOutcome(
        Verdict.RUNS,
        f"{who} runs; nothing in this log is wrong.",
        f"Line {shown.line} says {_quoted(shown.text)}, which only {_who_prints(speaker)} prints.{unseen}",
        notes=tuple(panic_verdicts.firmware_notes(boot)),
    )


def _named(speaker: Speaker) -> str:
    title = speaker.title
    return f"The {title.removeprefix('the ')}" if title.startswith("the ") else title


def _who_prints(speaker: Speaker | None) -> str:
    if speaker is None or speaker.stage < BootStage.APPLICATION:
        return "a firmware that runs"
    return f"{speaker.title}, once it runs,"


def _speaks(boot: Boot) -> LogOutcome | None:
    begun = evidence_of(boot, Weight.SPEAKS)
    own = own_lines(boot)
    speaker = speaker_of(boot)
    if speaker in SHOW_THEIR_START and (begun is not None or own):
        return _has_begun(boot, speaker)
    if begun is None and not own:
        return None
    line, words = (begun.line, begun.text) if begun is not None else own[0]
    return LogOutcome(
        Verdict.SPEAKS,
        "The firmware speaks; no failure that is known is in this log.",
        f"Line {line} says {_quoted(words)}: an application was started, and prints lines of its own. "
        "imgtool does not know which of its lines would show that all is well.",
        notes=tuple(panic_verdicts.firmware_notes(boot)),
    )


def _has_begun(boot: Boot, speaker: Speaker) -> LogOutcome:
    """A firmware that says when it is through with its start has not said it."""
    return LogOutcome(
        Verdict.UNFINISHED,
        f"{_named(speaker)} has begun; whether it runs cannot be told from this log.",
        "What would show that it is through with its start is not in this log: "
        f"{expected_of(speaker).first}.",
        _listen(boot),
        tuple(panic_verdicts.firmware_notes(boot)),
    )


def _quoted(words: str) -> str:
    text = " ".join(words.split())
    return f"'{text}'" if len(text) <= _MOST_QUOTED else f"'{text[:_MOST_QUOTED]}...'"


def _unfinished(boot: Boot) -> LogOutcome:
    return _unread(boot)._replace(notes=tuple(panic_verdicts.firmware_notes(boot)))


def _unread(boot: Boot) -> LogOutcome:
    """What is there is in order, and tells too little."""
    whole = cure(
        "Record a whole boot at 74880 baud: start the monitor first, and then reset the chip.", RECORD_ROM
    )
    if boot.has("nodemcu-size"):
        return LogOutcome(
            Verdict.UNFINISHED,
            "The log ends too early to tell: it stops where NodeMCU reads its partition table.",
            "What is there is in order. The log was cut.",
            (whole,),
        )
    if boot.has("eboot-erased"):
        return LogOutcome(
            Verdict.UNFINISHED,
            "The log ends too early to tell: it stops where Arduino's boot loader starts the application.",
            "The boot loader prints the word at 0x1010, and 0xffffffff is what erased flash has: there may "
            "be no application at 0x1000. Some builds have that word, too, and the firmware may be silent.",
            (
                whole,
                cure("See whether the file is whole; if it is, write it again.", INSPECT),
            ),
        )
    loaded = boot.checksum is not None or boot.stage > BootStage.ROM
    if not loaded:
        where = "while the ROM loads the image" if boot.segments else "before the ROM loads an image"
        return LogOutcome(
            Verdict.UNFINISHED,
            f"The log ends too early to tell: it stops {where}.",
            "What is there is in order. The log was cut, or the chip was reset or lost its supply.",
            (whole,),
        )
    where = {
        BootStage.ROM: "where the ROM starts the image",
        BootStage.LOADER: "where the boot loader starts the application",
    }.get(boot.stage, "where the SDK starts the application")
    if boot.noise:
        heard = (
            "Behind that there are unreadable characters: the firmware speaks at a speed of its own, mostly "
            "115200 baud."
        )
    else:
        heard = (
            "The firmware may be silent, may speak at another speed, mostly 115200 baud, may hang, or the "
            "log was cut."
        )
    return LogOutcome(
        Verdict.UNFINISHED,
        "The image was loaded; whether it runs cannot be told from this log.",
        f"What is there is in order, and ends {where}. {heard}",
        (*_listen(boot), whole) if boot.checksum is None else _listen(boot),
    )


def _listen(boot: Boot) -> tuple[Cure, ...]:
    """How to record what would tell."""
    expected = expected_of(speaker_of(boot))
    first, *others = expected.bauds
    longer = f", at a first start {expected.longest:g}" if expected.longest > expected.seconds else ""
    cures = [
        cure(
            f"Record it at {first} baud, for {expected.seconds:g} seconds from the reset on{longer}. What "
            f"would tell: {expected.first}.",
            record_log(first),
        )
    ]
    if others:
        cures.append(
            cure("If that cannot be read, at another speed.", *(record_log(baud) for baud in others))
        )
    return tuple(cures)


_RULES: Final[tuple[Callable[[Boot], LogOutcome | None], ...]] = (
    sdk_verdicts.other_map,
    sdk_verdicts.init_data,
    _cause,
    boot_verdicts.bad_image,
    boot_verdicts.no_image,
    boot_verdicts.no_slot,
    boot_verdicts.download,
    boot_verdicts.straps,
    panic_verdicts.out_of_memory,
    crash_verdicts.exception,
    crash_verdicts.watchdog,
    panic_verdicts.panic,
    _result,
    panic_verdicts.script_error,
    panic_verdicts.python,
    _formatting,
    _unclear,
    _runs,
    _speaks,
    _unfinished,
)
