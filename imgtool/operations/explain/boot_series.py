"""What several boots of a log come to: which one it is about, whether the chip hangs or starts over and over.

What one boot comes to is asked of boot_rules.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.formats.logs.boots import ResetCause
from imgtool.operations.actions import cure
from imgtool.operations.explain import crash_verdicts
from imgtool.operations.explain.boot_rules import judged
from imgtool.operations.explain.boot_verdicts import whole_files
from imgtool.operations.explain.values import INSPECT, RECORD_FIRMWARE, VERIFY, WRITE, LogOutcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.formats.logs.boots import Boot

__all__ = ["CRASHES", "FAILURES", "WAKE_UPS", "chosen_of", "hang_of", "loop_of", "repeats_of"]

FAILURES: Final = (
    Verdict.BAD_IMAGE,
    Verdict.NO_IMAGE,
    Verdict.INIT_DATA,
    Verdict.TOO_SMALL_FLASH,
    Verdict.PARTITION_TABLE,
    Verdict.SYSTEM_PARAM,
    Verdict.FILE_SYSTEM,
)
"""Verdicts on a chip that does not start its firmware."""

CRASHES: Final = (Verdict.EXCEPTION, Verdict.WATCHDOG, Verdict.PANIC, Verdict.OUT_OF_MEMORY)
"""Those on a firmware that was loaded well and failed later; it restarts by itself, which cures nothing."""

WAKE_UPS: Final = (ResetCause.DEEP_SLEEP, ResetCause.DEEP_SLEEP_POWER_ON)
"""Reset causes that are in order."""

_LEAST_STARTS: Final = 3  # alike, before a loop is called one: a user resets once or twice
_LEAST_HANGS: Final = 2  # of the watchdog: one may be the end of another firmware


def chosen_of(boots: Sequence[Boot], outcomes: Sequence[LogOutcome]) -> int:
    """Which boot the log is about."""
    last = len(boots) - 1
    verdict = outcomes[last].verdict
    # A log is often cut in the middle of its last boot; the one before it says more.
    if verdict is Verdict.UNFINISHED and last and outcomes[last - 1].verdict in FAILURES:
        return last if _went_on(boots[last - 1], boots[last]) else last - 1
    if (
        verdict is Verdict.UNFINISHED
        and last
        and _woke(boots[last])
        and _same_image(boots[last - 1], boots[last])
    ):
        return last - 1 if outcomes[last - 1].verdict is Verdict.RUNS else last
    if verdict in (Verdict.UNFINISHED, Verdict.RUNS):
        for index in range(last - 1, -1, -1):
            if outcomes[index].verdict in CRASHES:
                return index
            settled = outcomes[index].verdict in (Verdict.DOWNLOAD, Verdict.STRAPS, *FAILURES)
            if settled or not _same_image(boots[index], boots[last]):
                break
    return last


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


def hang_of(boots: Sequence[Boot], chosen: int, outcome: LogOutcome) -> LogOutcome | None:
    """The hardware watchdog started this boot, and the one before it is in the log."""
    boot = boots[chosen]
    if chosen == 0 or outcome.verdict not in (Verdict.RUNS, Verdict.UNFINISHED):
        return None
    before = boots[chosen - 1]
    if (
        boot.cause is None
        or boot.cause.code != ResetCause.WATCHDOG
        or before.has("first-failed", "boot-retry")
    ):
        return None
    ran = judged(before).verdict in (Verdict.RUNS, Verdict.UNFINISHED) and before.checksum is not None
    hung_before = before.cause is not None and before.cause.code == ResetCause.WATCHDOG
    if not ran or hung_before or not _same_image(before, boot):
        return None
    return crash_verdicts.hardware_watchdog(boot)


def _likeness(boot: Boot) -> tuple[int | None, tuple[tuple[int, int], ...]]:
    """What is alike in boots that repeat: the mode and what the ROM loads."""
    mode = boot.mode.code if boot.mode else None
    return mode, tuple((segment.address, segment.length) for segment in boot.segments)


def repeats_of(boots: Sequence[Boot]) -> int:
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


def loop_of(boots: Sequence[Boot], repeats: int) -> LogOutcome | None:
    """The boots start again and again, though each of them is in order."""
    causes = [boot.cause.code if boot.cause else None for boot in boots[len(boots) - repeats :]]
    hangs = sum(1 for cause in causes if cause == ResetCause.WATCHDOG)
    if repeats < _LEAST_STARTS and hangs < _LEAST_HANGS:
        return None
    known = [cause for cause in causes if cause is not None]  # the last banner may be cut
    if known and all(cause in WAKE_UPS for cause in known[1:] or known):
        return None  # the first start may be by hand
    looked_at = boots[-1] if boots[-1].checksum is not None else boots[-2]
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
            "Each boot is a power-on: the supply breaks down, mostly when the radio is switched on. A "
            "short cable, a stronger supply or a capacitor shows whether it is that. Or somebody "
            "switched it."
        )
    return (
        "Each boot loads well. The likeliest first: the firmware fails and restarts itself, which leaves the "
        "reset cause as it was; what it prints at its own speed, mostly 115200, says why. Or it wakes up "
        "from deep sleep, which is in order. Or a button or the adapter pulls the RST line."
    )


def _changing(causes: Sequence[int]) -> bool:
    """Whether the chip starts for one reason and then for another, the supply being among them."""
    kinds = set(causes)
    return ResetCause.POWER_ON in kinds and len(kinds) > 1 and causes.count(ResetCause.POWER_ON) > 1
