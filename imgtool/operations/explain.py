"""What a boot log says: verdict, cause and cure.

Judges what :mod:`imgtool.formats.boot_log_reader` reads, by rules on one boot and then by all boots.  Not a
serial monitor, and no decoder of exceptions or stacks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imgtool.chip import FLASH_SIZES
from imgtool.formats.boot_log import ResetCause
from imgtool.formats.boot_log_reader import read
from imgtool.operations import boot_verdicts, sdk_verdicts
from imgtool.operations.boot_verdicts import INSPECT, MONITOR, Cure, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from imgtool.formats.boot_log import Boot, BootLog

__all__ = ["Explanation", "explain"]

_FAILURES: Final = (
    Verdict.BAD_IMAGE,
    Verdict.NO_IMAGE,
    Verdict.INIT_DATA,
    Verdict.TOO_SMALL_FLASH,
    Verdict.PARTITION_TABLE,
)
_LEAST_STARTS: Final = 3  # alike, before a loop is called one: a user resets once or twice
_LEAST_HANGS: Final = 2  # of the watchdog: one may be the end of another firmware


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a boot log says.

    Attributes:
        verdict: What it comes to.
        sentence: The same as a sentence.
        cause: What is behind it, and how causes can be told apart where there are several.
        cures: What to do, the likeliest first.
        boots: Every start of the chip in the log.
        repeats: How many boots at the end of the log are alike.
        notes: What else is to be said.
    """

    verdict: Verdict
    sentence: str
    cause: str
    cures: tuple[Cure, ...] = ()
    boots: tuple[Boot, ...] = ()
    repeats: int = 0
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing in the log is wrong and it says so."""
        return self.verdict in (Verdict.RUNS, Verdict.DOWNLOAD)

    @property
    def foreign(self) -> bool:
        """Whether this is no boot log of an ESP8266."""
        return not self.boots


def explain(log: bytes | str) -> Explanation:
    """Say what a boot log comes to, why, and what to do.

    Takes anything: whole logs, pieces of them, several boots, with the prefixes of a monitor, with noise.  It
    judges the last boot that says enough.

    Args:
        log: The log as it was recorded, or as text.
    """
    found = read(log)
    boots = found.boots
    if not boots:
        return _no_log(found)
    outcomes = [_judged(boot) for boot in boots]
    last = len(boots) - 1
    cut = outcomes[last].verdict is Verdict.UNFINISHED
    # A log is often cut in the middle of its last boot; the one before it says more.
    chosen = last - 1 if cut and last and outcomes[last - 1].verdict in _FAILURES else last
    outcome = outcomes[chosen]
    repeats = _repeats(boots)
    if outcome.verdict not in _FAILURES and outcome.verdict not in (Verdict.DOWNLOAD, Verdict.STRAPS):
        outcome = _loop(boots, repeats) or outcome
    notes = (*outcome.notes, *_notes(boots, chosen, outcome.verdict))
    return Explanation(outcome.verdict, outcome.sentence, outcome.cause, outcome.cures, boots, repeats, notes)


# One boot.


def _judged(boot: Boot) -> Outcome:
    """What one boot comes to; the first rule that knows says it."""
    return next(outcome for rule in _RULES if (outcome := rule(boot)) is not None)


def _alarm(boot: Boot) -> Outcome | None:
    if not boot.has("alarm", "user-code-done"):
        return None
    message = next(m for m in boot.messages if m.kind in ("alarm", "user-code-done"))
    return Outcome(
        Verdict.NOTHING_KNOWN,
        "The image was loaded and started, and then failed.",
        f"Line {message.line} says '{message.text}'. It is the firmware's own message; this version of "
        "imgtool does not explain exceptions and stacks.",
    )


def _runs(boot: Boot) -> Outcome | None:
    started = boot.checksum is not None or boot.loader is not None
    printed = boot.firmware_lines > 0 or (boot.has("eboot-load") and not boot.has("eboot-erased"))
    if not (started and printed) and boot.rf_cal is None and not boot.has("sdk-version"):
        return None
    noise = (
        "Behind the loading there are unreadable characters: firmware prints at a speed of its own, mostly "
        "115200."
    )
    return Outcome(
        Verdict.RUNS,
        "The image was loaded and started; nothing in this log is wrong.",
        "The checksum holds, and the firmware prints something of its own."
        if boot.checksum is not None
        else "The firmware prints something of its own.",
        notes=(noise,) if boot.noise else (),
    )


def _unfinished(boot: Boot) -> Outcome:
    whole = Cure("Record a whole boot: start the monitor first, and then reset the chip.", (MONITOR,))
    if boot.has("nodemcu-size"):
        return Outcome(
            Verdict.UNFINISHED,
            "The log ends too early to tell: it stops where NodeMCU reads its partition table.",
            "What is there is in order. The log was cut, or there is no partition table at 0x10000: NodeMCU "
            "3.0 and later says nothing in that case, and the SDK halts.",
            (
                whole,
                Cure(
                    "If it stops here every time: write the file with the partition table again.",
                    ("imgtool flash 0x10000.bin",),
                ),
            ),
        )
    if boot.has("eboot-erased"):
        return Outcome(
            Verdict.UNFINISHED,
            "The log ends too early to tell: it stops where Arduino's boot loader starts the application.",
            "The boot loader prints the word at 0x1010, and 0xffffffff is what erased flash has: there may "
            "be no application at 0x1000. Some builds have that word, too, and the firmware may be silent.",
            (
                whole,
                Cure("See whether the file is whole; if it is, write it again.", (INSPECT,)),
            ),
        )
    if boot.loader is not None:
        where = "where the boot loader starts the application"
    elif boot.checksum is not None:
        where = "where the ROM starts the image"
    elif boot.segments:
        where = "while the ROM loads the image"
    else:
        where = "before the ROM loads an image"
    return Outcome(
        Verdict.UNFINISHED,
        f"The log ends too early to tell: it stops {where}.",
        "What is there is in order. The firmware may be silent, may print at another speed, mostly "
        "115200, or the log was cut.",
        (whole,),
    )


_RULES: Final[tuple[Callable[[Boot], Outcome | None], ...]] = (
    sdk_verdicts.init_data,
    sdk_verdicts.too_small,
    sdk_verdicts.partition_table,
    boot_verdicts.bad_image,
    boot_verdicts.no_image,
    boot_verdicts.no_slot,
    boot_verdicts.download,
    boot_verdicts.straps,
    _alarm,
    _runs,
    _unfinished,
)


# Several boots, and none.


def _likeness(boot: Boot) -> tuple[object, ...]:
    """What is alike in boots that repeat: the mode and what the ROM loads."""
    mode = boot.mode.code if boot.mode else None
    return mode, tuple((segment.address, segment.length) for segment in boot.segments)


def _repeats(boots: Sequence[Boot]) -> int:
    """How many boots at the end are alike; the last one may be cut."""
    model = boots[-2] if len(boots) > 1 else boots[-1]
    mode, loads = _likeness(model)
    last_mode, last_loads = _likeness(boots[-1])
    same = (
        isinstance(loads, tuple) and isinstance(last_loads, tuple) and loads[: len(last_loads)] == last_loads
    )
    if not same or (last_mode is not None and last_mode != mode):
        return 1
    count = 1
    for boot in reversed(boots[:-1]):
        if _likeness(boot) != (mode, loads):
            break
        count += 1
    return count


def _loop(boots: Sequence[Boot], repeats: int) -> Outcome | None:
    """The boots start again and again, though each of them is in order."""
    causes = [boot.cause.code if boot.cause else None for boot in boots[len(boots) - repeats :]]
    hangs = sum(1 for cause in causes if cause == ResetCause.WATCHDOG)
    if repeats < _LEAST_STARTS and hangs < _LEAST_HANGS:
        return None
    if hangs >= _LEAST_HANGS:
        cause = (
            "The hardware watchdog ended each run: the firmware loads well and then hangs. By the log "
            "alone the reason is the firmware, or a part of it in the flash that no checksum covers, such "
            "as irom."
        )
    elif causes.count(ResetCause.POWER_ON) >= _LEAST_STARTS:
        cause = (
            "Each boot is a power-on: the supply breaks down, mostly when the radio is switched on. A "
            "short cable, a stronger supply or a capacitor shows whether it is that. Else somebody "
            "switched it."
        )
    else:
        cause = (
            "Each boot loads well. In order: the firmware fails and restarts itself, which leaves the "
            "reset cause as it was, so look at what it prints at its own speed, mostly 115200; it wakes "
            "up from deep sleep, which is in order; the RST line is pulled, by a button or the adapter."
        )
    return Outcome(
        Verdict.BOOT_LOOP,
        f"The chip starts again and again: {repeats} boots in this log are alike.",
        cause,
        (
            Cure(
                "Read what the firmware prints before it restarts.",
                ("imgtool monitor",),
            ),
            Cure(
                "See whether the files are whole and of one build.",
                ("imgtool inspect 0x00000.bin 0x10000.bin",),
            ),
        ),
    )


def _notes(boots: Sequence[Boot], chosen: int, verdict: Verdict) -> Iterator[str]:
    boot = boots[chosen]
    if len(boots) > 1 and verdict is not Verdict.BOOT_LOOP:
        yield f"The log has {len(boots)} boots; this is about the one from line {boot.line} on."
    if boot.cause and boot.cause.code == ResetCause.WATCHDOG and verdict is not Verdict.BOOT_LOOP:
        yield "The hardware watchdog ended the run before this boot: it had hung, or waited too long."
    yield from _rf_cal_notes(boot)
    lines = [segment.line for each in boots for segment in each.segments if not segment.consistent]
    if lines:
        yield (
            f"The numbers of line {lines[0]} do not agree with each other: characters of the log were lost "
            "or changed."
        )
    if boot.has("first-failed") or any(each.has("first-failed") for each in boots[:chosen]):
        yield "The boot loader gave up one slot and went on with the other one."


def _rf_cal_notes(boot: Boot) -> Iterator[str]:
    if boot.rf_cal is None:
        return
    number, size = boot.rf_cal.sector, boot.rf_cal.flash_size
    header = boot.loader.flash_size if boot.loader else None
    if size is None:
        yield f"RF-cal sector {number} is a place of the vendor's own: it does not tell the flash size."
    elif header is not None and _bytes_of(header) != _bytes_of(size):
        yield f"RF-cal sector {number} is that of {size}, but the boot loader says {header}."


def _bytes_of(name: str) -> int:
    return next((size.bytes for size in FLASH_SIZES if size.name == name), 0)


def _no_log(log: BootLog) -> Explanation:
    if log.other_chip:
        return Explanation(
            Verdict.NOTHING_KNOWN,
            "This is the boot log of another chip, such as an ESP32.",
            "Its ROM prints lines that no ESP8266 has. imgtool is for the ESP8266 and ESP8285.",
        )
    record = Cure("Record it at the speed of the ROM.", (MONITOR,))
    if log.noise:
        return Explanation(
            Verdict.WRONG_BAUD,
            "Too little of this can be read; if it is a boot log, it was recorded at the wrong speed.",
            "The ROM prints at 74880 baud, at 115200 where the crystal has 40 MHz. Noise also comes from "
            "a missing ground line. Or it is a file of another kind: imgtool inspect knows many.",
            (record, Cure("If it is no log, see what it is.", (INSPECT,))),
        )
    return Explanation(
        Verdict.NOTHING_KNOWN,
        "There is no line of an ESP8266 boot in this.",
        "The ROM prints ' ets Jan  8 2013,rst cause:' at every reset, at 74880 baud. A log at another "
        "speed begins with noise or with nothing, and then has only what the firmware prints.",
        (record,),
    )
