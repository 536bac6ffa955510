"""What a boot log says: verdict, cause and cure.

Judges what :mod:`imgtool.formats.boot_log_reader` reads, by rules on one boot and then by all boots.  Not a
serial monitor: it has no state, and can be asked again with every line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imgtool.chip import FLASH_SIZES
from imgtool.formats.boot_log import ResetCause
from imgtool.formats.boot_log_reader import read
from imgtool.operations import boot_verdicts, crash_verdicts, panic_verdicts, sdk_verdicts
from imgtool.operations.boot_verdicts import (
    INSPECT,
    MONITOR,
    MONITOR_FIRMWARE,
    VERIFY,
    WRITE,
    Cure,
    Outcome,
    Verdict,
    whole_files,
)
from imgtool.operations.crash_frames import frames_of, mismatch_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from imgtool.formats.boot_log import Boot, BootLog
    from imgtool.formats.crash import Crash
    from imgtool.formats.elf_symbols import ElfSymbols
    from imgtool.formats.garbled import Speeds
    from imgtool.operations.crash_frames import Frame

__all__ = ["Explanation", "explain"]

_FAILURES: Final = (
    Verdict.BAD_IMAGE,
    Verdict.NO_IMAGE,
    Verdict.INIT_DATA,
    Verdict.TOO_SMALL_FLASH,
    Verdict.PARTITION_TABLE,
    Verdict.SYSTEM_PARAM,
    Verdict.FILE_SYSTEM,
)
# A firmware that was loaded well, and failed later.  It restarts by itself, so a later start cures nothing.
_CRASHES: Final = (Verdict.EXCEPTION, Verdict.WATCHDOG, Verdict.PANIC, Verdict.OUT_OF_MEMORY)
_LEAST_STARTS: Final = 3  # alike, before a loop is called one: a user resets once or twice
_WAKE_UPS: Final = (ResetCause.DEEP_SLEEP, ResetCause.DEEP_SLEEP_POWER_ON)
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
        crash: The crash that this is about, None if it is about none.
        frames: The code addresses of that crash, in the order of its dump.
        speeds: For a log at the wrong speed: the pairs of speeds that explain it, the likeliest first.
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

    @property
    def ok(self) -> bool:
        """Whether nothing in the log is wrong and it says so."""
        return self.verdict in (Verdict.RUNS, Verdict.DOWNLOAD)

    @property
    def foreign(self) -> bool:
        """Whether this is no boot log of an ESP8266."""
        return not self.boots


def explain(log: bytes | str, symbols: Sequence[ElfSymbols] = ()) -> Explanation:
    """Say what a boot log comes to, why, and what to do.

    Takes anything: whole logs, pieces of them, several boots, with the prefixes of a monitor, with noise.  It
    judges the last boot that says enough; a crash counts until another firmware is on the chip.

    Args:
        log: The log as it was recorded, or as text.
        symbols: The linked programs that are on the chip, which name the functions of a crash.
    """
    found = read(log)
    boots = found.boots
    if not boots:
        return _without_boots(found)
    outcomes = [_judged(boot) for boot in boots]
    chosen = _chosen(boots, outcomes)
    outcome = _hang(boots, chosen, outcomes[chosen]) or outcomes[chosen]
    repeats = _repeats(boots)
    if outcome.verdict not in (*_FAILURES, *_CRASHES, Verdict.DOWNLOAD, Verdict.STRAPS):
        loop = _loop(boots, repeats)
        # Its notes on single lines may say why.
        outcome = loop._replace(notes=outcome.notes) if loop else outcome
    notes = [*outcome.notes, *_notes(boots, chosen, outcome.verdict)]
    if outcomes[chosen].verdict in _CRASHES:
        notes += _crash_notes(boots, outcomes, chosen)
    front = _noise_note(found)
    notes += [front] if front else []
    crash = _crash_of(boots[chosen], outcome.verdict)
    wrong = mismatch_of(crash, symbols) if crash else None
    if wrong is not None:
        notes.insert(
            0, f"The ELF file cannot be of the firmware that crashed: {wrong}. Its names are left out."
        )
    elif symbols and crash is None:
        notes.append("The ELF file was not needed: there is no crash in this log.")
    frames = frames_of(crash, () if wrong else symbols) if crash else ()
    cures = tuple(
        cure for cure in outcome.cures if cure != crash_verdicts.NAME_FUNCTIONS or not symbols or wrong
    )
    return Explanation(
        outcome.verdict,
        _located(outcome.sentence, frames),
        outcome.cause,
        cures or outcome.cures,
        boots,
        repeats,
        tuple(notes),
        crash,
        frames,
    )


def _located(sentence: str, frames: Sequence[Frame]) -> str:
    """The sentence with the function that it happened in, where that is known."""
    first = frames[0] if frames else None
    if first is None or first.function is None or first.source not in ("epc1", "pc"):
        return sentence
    place = f" ({first.file}:{first.line})" if first.file else ""
    return f"{sentence.removesuffix('.')}, in {first.function}{place}."


def _chosen(boots: Sequence[Boot], outcomes: Sequence[Outcome]) -> int:
    """Which boot the log is about."""
    last = len(boots) - 1
    verdict = outcomes[last].verdict
    # A log is often cut in the middle of its last boot; the one before it says more.
    if verdict is Verdict.UNFINISHED and last and outcomes[last - 1].verdict in _FAILURES:
        return last - 1
    if verdict in (Verdict.UNFINISHED, Verdict.RUNS):
        for index in range(last - 1, -1, -1):
            if outcomes[index].verdict in _CRASHES:
                return index
            settled = outcomes[index].verdict in (Verdict.DOWNLOAD, Verdict.STRAPS, *_FAILURES)
            if settled or not _same_image(boots[index], boots[last]):
                break
    return last


def _same_image(one: Boot, other: Boot) -> bool:
    """Whether two boots can be of the same firmware; cut ones show less."""
    _, loads = _likeness(one)
    _, more = _likeness(other)
    return all(a == b for a, b in zip(loads, more, strict=False))


def _hang(boots: Sequence[Boot], chosen: int, outcome: Outcome) -> Outcome | None:
    """The hardware watchdog started this boot, and the one before it is in the log."""
    boot = boots[chosen]
    if chosen == 0 or outcome.verdict not in (Verdict.RUNS, Verdict.UNFINISHED):
        return None
    before = boots[chosen - 1]
    if boot.cause is None or boot.cause.code != ResetCause.WATCHDOG or before.has("first-failed"):
        return None
    ran = _judged(before).verdict in (Verdict.RUNS, Verdict.UNFINISHED) and before.checksum is not None
    hung_before = before.cause is not None and before.cause.code == ResetCause.WATCHDOG
    if not ran or hung_before or not _same_image(before, boot):
        return None
    return crash_verdicts.hardware_watchdog(boot)


def _crash_of(boot: Boot, verdict: Verdict) -> Crash | None:
    return boot.crashes[0] if boot.crashes and verdict in _CRASHES else None


def _crash_notes(boots: Sequence[Boot], outcomes: Sequence[Outcome], chosen: int) -> Iterator[str]:
    same = sum(outcome.verdict is outcomes[chosen].verdict for outcome in outcomes)
    if same > 1:
        yield f"{same} of {len(boots)} boots in this log end so."
    since = len(boots) - 1 - chosen
    if since:
        again = "once" if since == 1 else f"{since} times"
        yield f"The same firmware was started {again} since; a restart comes by itself, and is no cure."


def _noise_note(found: BootLog) -> str | None:
    if not found.garbled:
        return None
    from imgtool.operations.noise_verdicts import noise_note  # noqa: PLC0415 - only for logs with noise

    return noise_note(found)


def _without_boots(found: BootLog) -> Explanation:
    from imgtool.operations.noise_verdicts import unread  # noqa: PLC0415 - only for logs that cannot be read

    result = unread(found)
    verdict, sentence, cause, cures, notes = result.outcome
    repeats = len(result.boots)
    return Explanation(verdict, sentence, cause, cures, result.boots, repeats, notes, speeds=result.speeds)


# One boot.


def _judged(boot: Boot) -> Outcome:
    """What one boot comes to; the first rule that knows says it."""
    return next(outcome for rule in _RULES if (outcome := rule(boot)) is not None)


def _user_code_done(boot: Boot) -> Outcome | None:
    if not boot.has("user-code-done"):
        return None
    message = next(m for m in boot.messages if m.kind == "user-code-done")
    return Outcome(
        Verdict.NOTHING_KNOWN,
        "The image was loaded and started, and then failed.",
        f"Line {message.line} says '{message.text}': what was started has returned, which it must not. "
        f"It is no firmware "
        "for this place, or its beginning is damaged.",
    )


def _runs(boot: Boot) -> Outcome | None:
    started = boot.checksum is not None or boot.loader is not None
    printed = boot.firmware_lines > 0 or (boot.has("eboot-load") and not boot.has("eboot-erased"))
    if not (started and printed) and boot.rf_cal is None and not boot.has("sdk-version") and not boot.spoken:
        return None
    if not started and boot.spoken:
        return Outcome(
            Verdict.RUNS,
            "The firmware runs; nothing in this log is wrong.",
            "It prints lines of its own. The loading is not in the log, or cannot be read: the ROM "
            "prints at another "
            "speed, 74880 baud.",
            notes=tuple(panic_verdicts.firmware_notes(boot)),
        )
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
        notes=(*((noise,) if boot.noise else ()), *panic_verdicts.firmware_notes(boot)),
    )


def _unfinished(boot: Boot) -> Outcome:
    whole = Cure(
        "Record a whole boot at 74880 baud: start the monitor first, and then reset the chip.", (MONITOR,)
    )
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
    sdk_verdicts.no_table,
    boot_verdicts.bad_image,
    boot_verdicts.no_image,
    boot_verdicts.no_slot,
    boot_verdicts.download,
    boot_verdicts.straps,
    panic_verdicts.system_param,
    panic_verdicts.out_of_memory,
    crash_verdicts.exception,
    crash_verdicts.watchdog,
    panic_verdicts.panic,
    _user_code_done,
    panic_verdicts.script_error,
    panic_verdicts.python,
    _runs,
    _unfinished,
)


# Several boots, and none.


def _likeness(boot: Boot) -> tuple[int | None, tuple[tuple[int, int], ...]]:
    """What is alike in boots that repeat: the mode and what the ROM loads."""
    mode = boot.mode.code if boot.mode else None
    return mode, tuple((segment.address, segment.length) for segment in boot.segments)


def _repeats(boots: Sequence[Boot]) -> int:
    """How many boots at the end are alike; the last one may be cut."""
    model = boots[-2] if len(boots) > 1 else boots[-1]
    mode, loads = _likeness(model)
    last_mode, last_loads = _likeness(boots[-1])
    if loads[: len(last_loads)] != last_loads or (last_mode is not None and last_mode != mode):
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
    known = [cause for cause in causes if cause is not None]  # the last banner may be cut
    if known and all(cause in _WAKE_UPS for cause in known):
        return None
    looked_at = boots[-1] if boots[-1].checksum is not None else boots[-2]
    erased = looked_at.has("eboot-erased")
    if erased:
        cause = (
            "Arduino's boot loader starts what it finds at 0x1000, and prints the word at 0x1010: 0xffffffff "
            "is what erased flash has. Probably there is no application, or only a part of it."
        )
    elif hangs >= _LEAST_HANGS:
        cause = (
            "The hardware watchdog ended each run: the firmware loads well and then hangs. By the log "
            "alone the reason is the firmware, or a part of it in the flash that no checksum covers, such "
            "as irom."
        )
    elif _changing(known):
        cause = (
            f"The reset causes change ({', '.join(str(each) for each in dict.fromkeys(known))}), so it is no "
            "single fault of the firmware: mostly the supply breaks down for a moment, as when the radio is "
            "switched on. A short cable, a stronger supply or a capacitor shows whether it is that. Else "
            "somebody switched it or pressed the button."
        )
    elif known and set(known) == {ResetCause.POWER_ON}:
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
            *(
                (
                    Cure(
                        "See whether the file is whole; if it is, write it again, and compare.",
                        (INSPECT, WRITE, VERIFY),
                    ),
                )
                if erased
                else ()
            ),
            Cure(
                "Read what the firmware prints before it restarts.",
                (MONITOR_FIRMWARE,),
            ),
            *(() if erased else (whole_files(looked_at),)),
        ),
    )


def _changing(causes: Sequence[int]) -> bool:
    """Whether the chip starts for one reason and then for another, the supply being among them."""
    kinds = set(causes)
    return ResetCause.POWER_ON in kinds and len(kinds) > 1 and causes.count(ResetCause.POWER_ON) > 1


def _notes(boots: Sequence[Boot], chosen: int, verdict: Verdict) -> Iterator[str]:
    boot = boots[chosen]
    if len(boots) > 1 and verdict is not Verdict.BOOT_LOOP:
        yield f"The log has {len(boots)} boots; this is about the one from line {boot.line} on."
    if (
        boot.cause
        and boot.cause.code == ResetCause.WATCHDOG
        and verdict not in (Verdict.BOOT_LOOP, Verdict.WATCHDOG)
    ):
        yield "The hardware watchdog ended the run before this boot: it had hung, or waited too long."
    if boot.cause and boot.cause.code in _WAKE_UPS:
        yield "The chip woke up from deep sleep, which starts it like a reset."
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
