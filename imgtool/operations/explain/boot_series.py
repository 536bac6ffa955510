"""What several boots of a log come to: which one decides, whether the chip hangs or starts over and over.

What one boot comes to is asked of boot_rules.py.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.formats.logs.boots import ResetCause
from imgtool.formats.logs.line_forms import BootStage
from imgtool.operations.actions import Remark, cure
from imgtool.operations.explain import crash_verdicts
from imgtool.operations.explain.boot_rules import judged, own_lines
from imgtool.operations.explain.boot_verdicts import whole_files
from imgtool.operations.explain.messages.row import Weight
from imgtool.operations.explain.messages.table import evidence_of, filled, outcome_of, row_of, rows_of
from imgtool.operations.explain.values import INSPECT, RECORD_FIRMWARE, VERIFY, WRITE, LogOutcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.formats.logs.boots import Boot, BootMessage
    from imgtool.operations.explain.messages.row import Message

__all__ = ["CRASHES", "FAILURES", "WAKE_UPS", "Outcomes", "Series", "is_cut", "series_of"]

FAILURES: Final = (
    Verdict.BAD_IMAGE,
    Verdict.NO_IMAGE,
    Verdict.INIT_DATA,
    Verdict.TOO_SMALL_FLASH,
    Verdict.FLASH_SIZE,
    Verdict.PARTITION_TABLE,
    Verdict.SYSTEM_PARAM,
    Verdict.FILE_SYSTEM,
    Verdict.SAFE_MODE,
    Verdict.SETTINGS,
    Verdict.HARDWARE,
    Verdict.CANNOT_JUDGE,
)
"""Verdicts on a chip that does not get its firmware going, or not all of it."""

CRASHES: Final = (Verdict.EXCEPTION, Verdict.WATCHDOG, Verdict.PANIC, Verdict.OUT_OF_MEMORY)
"""Those on a firmware that was loaded well and failed later; it restarts by itself, which cures nothing."""

WAKE_UPS: Final = (ResetCause.DEEP_SLEEP, ResetCause.DEEP_SLEEP_POWER_ON)
"""Reset causes that are in order."""

_GOING: Final = (Verdict.RUNS, Verdict.SPEAKS, Verdict.UNFINISHED)
_LEAST_STARTS: Final = 3  # alike in what is loaded, before a loop is called one: a user resets once or twice
_LEAST_SAME: Final = 2  # the same to their end, and nothing that shows that the firmware runs
_LEAST_HANGS: Final = 2  # of the watchdog: one may be the end of another firmware
_MOST_LOOKED_AT: Final = 50  # boots behind a restart
_NUMBERS: Final = re.compile(r"\d+")


class Outcomes:
    """What each boot of a log comes to, judged when it is asked for: of thousands only the last ones are.

    Args:
        boots: The boots.
    """

    def __init__(self, boots: Sequence[Boot]) -> None:
        self._boots = boots
        self._judged: dict[int, LogOutcome] = {}

    def __getitem__(self, index: int) -> LogOutcome:
        """What a boot comes to."""
        if index not in self._judged:
            self._judged[index] = judged(self._boots[index])
        return self._judged[index]


class Series(NamedTuple):
    """What the boots of a log come to together.

    Attributes:
        chosen: The number of the boot that decides.
        outcome: What it is.
        repeats: How many boots at the end are alike.
    """

    chosen: int
    outcome: LogOutcome
    repeats: int


def series_of(boots: Sequence[Boot], outcomes: Outcomes) -> Series:
    """What the boots of a log come to, of which there is one at least."""
    chosen, last = _chosen_of(boots, outcomes), len(boots) - 1
    outcome = outcomes[chosen]
    hang = _hang_of(boots, chosen, outcome) or (_hang_of(boots, last, outcome) if chosen != last else None)
    outcome = hang or outcome
    repeats = _repeats_of(boots)
    if outcome.verdict not in (*FAILURES, *CRASHES, Verdict.DOWNLOAD, Verdict.STRAPS):
        loop = _loop_of(boots, repeats, outcome)
        # Its notes on single lines may say why.
        outcome = loop._replace(notes=outcome.notes) if loop else outcome
    outcome = _repeated_of(boots, outcome) or _after_restart(boots, outcome) or outcome
    return Series(chosen, outcome, repeats)


def is_cut(boot: Boot) -> bool:
    """Whether a boot ends before anything was started, which the recording mostly did."""
    return boot.checksum is None and boot.stage is BootStage.ROM and not boot.messages


def _chosen_of(boots: Sequence[Boot], outcomes: Outcomes) -> int:
    """Which boot decides: the last that says anything; a crash counts until another firmware is loaded."""
    last = len(boots) - 1
    chosen = last
    while chosen and outcomes[chosen].verdict is Verdict.UNFINISHED and is_cut(boots[chosen]):
        if not _same_image(boots[chosen - 1], boots[chosen]):
            return last
        chosen -= 1
    verdict = outcomes[chosen].verdict
    if verdict is Verdict.UNFINISHED and chosen:
        before = outcomes[chosen - 1].verdict
        if before in FAILURES and not _went_on(boots[chosen - 1], boots[chosen]):
            return chosen - 1
        if _woke(boots[chosen]) and _same_image(boots[chosen - 1], boots[chosen]) and before in _GOING:
            return chosen - 1
    if verdict in _GOING:
        for index in range(chosen - 1, -1, -1):
            if outcomes[index].verdict in CRASHES:
                return _best_report(boots, outcomes, index)
            settled = outcomes[index].verdict in (Verdict.DOWNLOAD, Verdict.STRAPS, *FAILURES)
            if settled or not _same_image(boots[index], boots[chosen]):
                break
    return _best_report(boots, outcomes, chosen)


def _best_report(boots: Sequence[Boot], outcomes: Outcomes, chosen: int) -> int:
    """Of crashes that are alike, the one that tells most: the last one is often cut."""
    if outcomes[chosen].verdict not in CRASHES or not boots[chosen].crashes:
        return chosen
    best = chosen
    for index in range(chosen - 1, -1, -1):
        if not boots[index].crashes or not _same_image(boots[index], boots[chosen]):
            break
        if _same_crash(boots[index], boots[chosen]) and _told(boots[index]) > _told(boots[best]):
            best = index
    return best


def _same_crash(one: Boot, other: Boot) -> bool:
    first, second = one.crashes[0], other.crashes[0]
    return (first.kind, first.exception) == (second.kind, second.exception) and (
        None in (first.pc, second.pc) or first.pc == second.pc
    )


def _told(boot: Boot) -> int:
    crash = boot.crashes[0]
    return len(crash.registers) + len(crash.stack) + len(crash.backtrace)


def _woke(boot: Boot) -> bool:
    return boot.cause is not None and boot.cause.code in WAKE_UPS


def _went_on(before: Boot, boot: Boot) -> bool:
    """Whether the boot loader gave one slot up and has started the other one."""
    if before.loader is None or boot.loader is None or not before.has("first-failed"):
        return False
    return before.loader.slot is not None and boot.loader.slot not in (None, before.loader.slot)


def _same_image(one: Boot, other: Boot) -> bool:
    """Whether two boots can be of the same firmware; cut ones show less."""
    _, loads = _likeness(one)
    _, more = _likeness(other)
    return all(a == b for a, b in zip(loads, more, strict=False))


def _hang_of(boots: Sequence[Boot], at: int, outcome: LogOutcome) -> LogOutcome | None:
    """The hardware watchdog started this boot, and the one before it is in the log."""
    boot = boots[at]
    if at == 0 or outcome.verdict not in _GOING:
        return None
    before = boots[at - 1]
    if (
        boot.cause is None
        or boot.cause.code != ResetCause.WATCHDOG
        or before.has("first-failed", "boot-retry")
    ):
        return None
    loaded = before.checksum is not None or before.stage > BootStage.ROM
    ran = judged(before).verdict in _GOING and loaded
    hung_before = before.cause is not None and before.cause.code == ResetCause.WATCHDOG
    if not ran or hung_before or not _same_image(before, boot):
        return None
    return crash_verdicts.hardware_watchdog(boot)


def _likeness(boot: Boot) -> tuple[int | None, tuple[tuple[int, int], ...]]:
    """What is alike in boots that repeat: the mode and what the ROM loads."""
    mode = boot.mode.code if boot.mode else None
    return mode, tuple((segment.address, segment.length) for segment in boot.segments)


def _course(boot: Boot) -> tuple[str, ...]:
    """What is said behind the loading, without its numbers: alike in boots that end alike."""
    said = [(message.line, message.kind) for message in boot.messages]
    said += [(line, _NUMBERS.sub("0", words)) for line, words in own_lines(boot)]
    loaded = ("csum",) if boot.checksum is not None and boot.stage is BootStage.ROM else ()
    loader = () if boot.loader is None else (f"user{boot.loader.slot}",)
    return (*loaded, *loader, *(words for _, words in sorted(said)))


def _repeats_of(boots: Sequence[Boot]) -> int:
    """How many boots at the end are alike; the last one may be cut."""
    model = boots[-2] if len(boots) > 1 else boots[-1]
    mode, loads = _likeness(model)
    last_mode, last_loads = _likeness(boots[-1])
    if loads[: len(last_loads)] != last_loads or (last_mode is not None and last_mode != mode):
        return 1
    if not loads and _course(model)[: len(_course(boots[-1]))] != _course(boots[-1]):
        return 1
    count = 1
    for boot in reversed(boots[:-1]):
        if _likeness(boot) != (mode, loads) or (not loads and _course(boot) != _course(model)):
            break
        count += 1
    return count


def _repeated_of(boots: Sequence[Boot], outcome: LogOutcome) -> LogOutcome | None:
    """A line that is in order once, and stands in start after start."""
    if outcome.verdict not in (*_GOING, Verdict.INIT_DATA, Verdict.BOOT_LOOP):
        return None
    whole = list(boots[:-1] if is_cut(boots[-1]) and len(boots) > 1 else boots)
    for row, message in rows_of(whole[-1], Weight.REPEATS):
        if outcome.verdict is Verdict.INIT_DATA and row.speaker.stage < BootStage.APPLICATION:
            continue  # what is missing says more than what the SDK thinks of its parameters
        starts = 0
        for boot in reversed(whole):
            if not boot.has(row.name) or (evidence_of(boot) and outcome.verdict is not Verdict.BOOT_LOOP):
                break
            starts += 1
        if starts >= _LEAST_SAME:
            return outcome_of(row, whole[-1], message)
    return None


def _after_restart(boots: Sequence[Boot], outcome: LogOutcome) -> LogOutcome | None:
    """What the last line before a restart explains of boots behind it that show nothing."""
    if outcome.verdict not in (Verdict.UNFINISHED, Verdict.BOOT_LOOP):
        return None
    silent = 0
    for boot in reversed(boots[-_MOST_LOOKED_AT:]):
        told = _restart_of(boot)
        if told is not None:
            return None if not silent else _explained(outcome, boot, *told, silent=silent)
        if evidence_of(boot) or own_lines(boot) or boot.noise:
            return None
        silent += not is_cut(boot)
    return None


def _restart_of(boot: Boot) -> tuple[Message, BootMessage] | None:
    """The last line of a boot that tells of a restart, and why."""
    for message in reversed(boot.messages):
        row = row_of(message.kind)
        if row is not None and row.leads_to is not None:
            return row, message
    return None


def _explained(
    outcome: LogOutcome, boot: Boot, row: Message, message: BootMessage, *, silent: int
) -> LogOutcome | None:
    if row.leads_to is None:
        return None
    found = filled(row.leads_to, row, boot, message)
    if silent >= _LEAST_SAME:
        return found
    first = Remark(
        f"Line {message.line} says '{message.text.strip()}': the boot behind it is the first one since. "
        "If it goes no further, that is why."
    )
    return outcome._replace(cures=(*outcome.cures, *found.cures), notes=(first, *outcome.notes))


def _loop_of(boots: Sequence[Boot], repeats: int, outcome: LogOutcome) -> LogOutcome | None:
    """The boots start again and again, though no line says that one of them failed."""
    alike = boots[len(boots) - repeats :]
    causes = [boot.cause.code if boot.cause else None for boot in alike]
    hangs = sum(1 for cause in causes if cause == ResetCause.WATCHDOG)
    if not _is_loop(alike, outcome, hangs):
        return None
    known = [cause for cause in causes if cause is not None]  # the last banner may be cut
    if known and all(cause in WAKE_UPS for cause in known[1:] or known):
        return None  # the first start may be by hand
    looked_at = boots[-1] if boots[-1].checksum is not None or len(boots) == 1 else boots[-2]
    erased = looked_at.has("eboot-erased")
    cause = _NO_APPLICATION if erased else _HANGS if hangs >= _LEAST_HANGS else _why_again(known)
    whole = cure(
        "See whether the file is whole; if it is, write it again, and compare.", INSPECT, WRITE, VERIFY
    )
    listen = cure("Read what the firmware prints before it restarts.", RECORD_FIRMWARE)
    return LogOutcome(
        Verdict.BOOT_LOOP,
        f"The chip starts again and again: {repeats} boots in this log are alike.",
        cause,
        (whole, listen) if erased else (listen, whole_files(looked_at)),
    )


def _is_loop(alike: Sequence[Boot], outcome: LogOutcome, hangs: int) -> bool:
    if len(alike) >= _LEAST_STARTS or hangs >= _LEAST_HANGS:
        # What shows that it runs in each of them may be resets by hand, if they ended anywhere.
        return outcome.verdict is not Verdict.RUNS or len({_course(boot) for boot in alike[:-1]}) == 1
    if len(alike) < _LEAST_SAME or outcome.verdict is Verdict.RUNS:
        return False
    first, second = alike
    ended = first.checksum is not None or first.stage > BootStage.ROM
    return ended and not first.noise and _course(first) == _course(second)


_NO_APPLICATION: Final = (
    "Arduino's boot loader starts what it finds at 0x1000, and prints the word at 0x1010: 0xffffffff "
    "is what erased flash has. Probably there is no application, or only a part of it."
)
_HANGS: Final = (
    "The hardware watchdog ended each run: the firmware loads well and then hangs. The log alone does not "
    "tell why: the firmware has an error, or a part of it in the flash that no checksum covers, such as "
    "irom, is damaged."
)


def _why_again(known: Sequence[int]) -> str:
    """What the reset causes of boots that repeat say together."""
    if _changing(known):
        return (
            f"The reset causes change ({', '.join(str(each) for each in dict.fromkeys(known))}), so it is no "
            "single fault of the firmware: mostly the supply breaks down for a moment, as when the radio is "
            "switched on. A short cable, a stronger supply or a capacitor shows whether it is that. Or "
            "somebody switched it, or pressed the button."
        )
    if known and set(known) == {ResetCause.POWER_ON}:
        return (
            "The reset cause is 1 each time, which is a power-on or any restart of the firmware after "
            "one. So either the firmware fails and restarts itself, and what it prints at its own speed, "
            "mostly 115200 baud, says why; or the supply breaks down, mostly when the radio is switched "
            "on, which a short cable, a stronger supply or a capacitor shows; or somebody switched it."
        )
    return (
        "Each boot loads well. The likeliest first: the firmware fails and restarts itself, which leaves "
        "the reset cause as it was; what it prints at its own speed, mostly 115200 baud, says why. Or it "
        "wakes up from deep sleep, which is in order. Or a button or the adapter pulls the RST line."
    )


def _changing(causes: Sequence[int]) -> bool:
    """Whether the chip starts for one reason and then for another, the supply being among them."""
    kinds = set(causes)
    return ResetCause.POWER_ON in kinds and len(kinds) > 1 and causes.count(ResetCause.POWER_ON) > 1
