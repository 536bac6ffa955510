"""Lines of crashes that several firmwares print alike.

Their numbers are read in :mod:`imgtool.formats.logs`, and judged by
:mod:`imgtool.operations.explain.crash_verdicts` and :mod:`imgtool.operations.explain.panic_verdicts`; so
these rows have no form.  Not the lines that only one firmware prints.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from imgtool.operations.actions import Remark
from imgtool.operations.explain.messages.row import Message, Speaker, Weight
from imgtool.operations.explain.values import LogOutcome, Verdict

__all__ = ["ROWS"]

_POSTMORTEM: Final = (
    "https://github.com/esp8266/Arduino/blob/master/cores/esp8266/core_esp8266_postmortem.cpp"
)
_CORE: Final = "https://github.com/esp8266/Arduino/blob/master/cores/esp8266"
_PANIC: Final = (
    "https://github.com/espressif/ESP8266_RTOS_SDK/blob/master/components/freertos/port/esp8266/panic.c"
)

_any = partial(Message, speaker=Speaker.ANY, source=_POSTMORTEM)

ROWS: Final = (
    _any(
        name="exception",
        example="Exception (28):",
        weight=Weight.FAILS,
        says=LogOutcome(Verdict.EXCEPTION, "The processor met something that it cannot do.", ""),
        crash=True,
    ),
    _any(
        name="soft-wdt",
        example="Soft WDT reset",
        weight=Weight.FAILS,
        says=LogOutcome(Verdict.WATCHDOG, "The software watchdog ended the run.", ""),
        crash=True,
    ),
    _any(
        name="abort",
        example="Abort called",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.PANIC,
            "The firmware stopped itself with abort()",
            "The program, or a library in it, gave up: mostly a check that failed, or memory that it did "
            "not get. The line in front of it may say which.",
        ),
        crash=True,
    ),
    _any(
        name="stack-overflow",
        example="Stack overflow detected.",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.PANIC,
            "The stack of the firmware overflowed",
            "Arrays in functions are too large, or functions call themselves too deep. Arduino's loop() "
            "has 4 KB; a task of an RTOS has what it was made with.",
        ),
        crash=True,
        versions="3.0 and later",
    ),
    _any(
        name="stack-smashed",
        example="Stack smashing detected.",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.PANIC,
            "The firmware stopped itself: a function wrote behind the end of one of its variables",
            "Mostly a text or an array that is too long for where it is copied to. It was found when the "
            "function returned.",
        ),
        crash=True,
        versions="3.1 and later",
    ),
    _any(
        name="reset-reason",
        example="Reset reason: Hardware Watchdog",
        weight=Weight.EARLIER,
        says=Remark("The firmware tells how its run before ended."),
        source=f"{_CORE}/Esp.cpp",
    ),
    _any(
        name="guru",
        example="Guru Meditation Error: Core  0 panic'ed (LoadProhibited). Exception was unhandled.",
        weight=Weight.FAILS,
        says=LogOutcome(Verdict.EXCEPTION, "The processor met something that it cannot do.", ""),
        crash=True,
        source=_PANIC,
        versions="RTOS SDK 3.3 and later",
    ),
    _any(
        name="task-wdt",
        example="Task watchdog got triggered.",
        weight=Weight.FAILS,
        says=LogOutcome(Verdict.WATCHDOG, "The task watchdog ended the run.", ""),
        crash=True,
        source=_PANIC,
        versions="RTOS SDK 3.1 and later",
    ),
    _any(
        name="hard-wdt",
        example="HW WDT @ 0x40203bf0",
        weight=Weight.FAILS,
        says=LogOutcome(Verdict.WATCHDOG, "The hardware watchdog ended the run.", ""),
        crash=True,
        source="https://github.com/cesanta/mongoose-os/blob/master/platforms/esp8266/src/esp_exc.c",
        versions="Mongoose OS",
    ),
    _any(
        name="registers",
        example="epc1=0x402103f4 epc2=0x00000000 epc3=0x00000000 excvaddr=0x00000008 depc=0x00000000",
        weight=Weight.FAILS,
        says=LogOutcome(Verdict.EXCEPTION, "The registers of an exception.", ""),
        crash=True,
    ),
)
