"""What Arduino's boot loader (eboot) and the Arduino core say.

Exceptions and stacks are read in :mod:`imgtool.formats.logs`, and judged by
:mod:`imgtool.operations.explain.crash_verdicts`; the rows without a form stand for these lines.  Not what a
sketch prints.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from imgtool.operations import actions
from imgtool.operations.actions import Remark, Unknown, cure
from imgtool.operations.explain.messages.row import Message, Speaker, Weight
from imgtool.operations.explain.values import CHECK_FAILED, INSPECT, VERIFY, WRITE, LogOutcome, Verdict

__all__ = ["ROWS"]

_CORE: Final = "https://github.com/esp8266/Arduino/blob/master/cores/esp8266"
_EBOOT: Final = "https://github.com/esp8266/Arduino/blob/master/bootloaders/eboot/eboot.c"
_POSTMORTEM: Final = f"{_CORE}/core_esp8266_postmortem.cpp"
_DUMPED: Final = LogOutcome(Verdict.PANIC, "The firmware stopped itself.", "")

_eboot = partial(Message, speaker=Speaker.EBOOT, source=_EBOOT, after_loading=True)
_core = partial(Message, speaker=Speaker.ARDUINO, source=_POSTMORTEM)
_SIZE: Final = LogOutcome(
    Verdict.FLASH_SIZE,
    "The sketch stops: it was built for another flash size than the image header states.",
    "Line {line} says '{text}', again and again. The Arduino core 3.1 with SDK 3 wants both to be the same.",
    (
        cure("Ask the chip for its size.", actions.ask_chip()),
        cure("Choose that size in the settings of the board, build the sketch again, and write it.", WRITE),
        cure(
            "Or write the file with the size that it was built for, if the chip has it.",
            actions.flash(actions.FileRole.FIRMWARE, size=Unknown.SIZE),
        ),
    ),
)

ROWS: Final = (
    # eboot.
    _eboot(
        name="eboot-erased",
        marks="vffffffff",
        form=r"\bvffffffff\b",
        example="vffffffff",
        weight=Weight.NORMAL,
        says="the word at 0x1010 is that of erased flash; some builds have it, too",
    ),
    _eboot(
        name="eboot-load",
        marks="ld",
        form=r"~ld\b|^\s{0,4}ld\s{0,4}$",
        example="~ld",
        weight=Weight.NORMAL,
        says="the boot loader goes on to the sketch, which it does not check",
    ),
    _eboot(
        name="eboot-copy",
        marks="@cp",
        form=r"@cp:(?P<copied>0{1,8})\b",
        example="@cp:0",
        weight=Weight.NORMAL,
        says="an update was copied to its place",
    ),
    _eboot(
        name="eboot-copy-failed",
        marks="@cp",
        form=r"@cp:(?P<number>[1-9a-f][0-9a-f]{0,7}|0[0-9a-f]{0,6}[1-9a-f])\b",
        example="@cp:4",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.BAD_IMAGE,
            "Arduino's boot loader could not copy an update to its place.",
            "Line {line} says '{text}'; 0 would be success. The sketch may be half of the old one and "
            "half of the new one.",
            (cure("Write the sketch over the cable, and compare.", WRITE, VERIFY),),
        ),
        until_runs=True,
    ),
    _eboot(
        name="eboot-compare",
        marks="cmp",
        form=r"\bcmp:(?P<compared>[0-9a-f]{1,8})\b",
        example="cmp:0",
        weight=Weight.NORMAL,
        says="what was copied is compared",
        versions="3.x",
    ),
    _eboot(
        name="eboot-fails",
        marks="e:",
        form=r"^\s{0,4}e:(?P<number>\d{1,3})\s{0,4}$",
        example="e:1",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.BAD_IMAGE,
            "Arduino's boot loader cannot load the sketch.",
            "Line {line} says '{text}': what stands at 0x1000 is no sketch that it can load. It was not "
            "written whole, or another write went over it.",
            (
                cure("See whether the file is whole.", INSPECT),
                cure("If it is, write it again, and compare.", WRITE, VERIFY),
            ),
        ),
        until_runs=True,
    ),
    Message(
        name="ota-done",
        speaker=Speaker.ANY,
        marks="update success|ota update finished",
        form=r"\bUpdate Success: \d{1,10}\b|\bOTA update finished ?!",
        example="Update Success: 10755",
        weight=Weight.NORMAL,
        says="an update has come over the air; a restart follows",
        leads_to=LogOutcome(
            Verdict.BOOT_LOOP,
            "The firmware does not get going any more since its update over the air.",
            "Line {line} says '{text}'; the starts behind it show nothing of the firmware. The update is "
            "damaged or for another board, or it did not get to its place whole.",
            (
                cure("Write the firmware over the cable, and compare.", WRITE, VERIFY),
                cure("See whether the file is whole.", INSPECT),
            ),
        ),
        source="https://github.com/esp8266/Arduino/blob/master/libraries/ESP8266HTTPUpdateServer/src",
        after_loading=False,
    ),
    # The core's reports; their numbers are read elsewhere.
    _core(
        name="cut-here",
        example="--------------- CUT HERE FOR EXCEPTION DECODER ---------------",
        weight=Weight.NORMAL,
        says="a report of a crash begins or ends",
        versions="2.6 and later",
    ),
    _core(
        name="isr-in-flash",
        marks="isr iram",
        form=r"\bISR not in IRAM ?!?",
        example="ISR not in IRAM!",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.PANIC,
            "The sketch stopped itself: an interrupt routine of it lies in flash",
            "A function that is not in IRAM was given to attachInterrupt(). The core refuses that from 2.5.1 "
            "on, as such a routine crashes whenever the flash cannot be read.",
            (
                cure(
                    "Mark the interrupt routine IRAM_ATTR (ICACHE_RAM_ATTR before core 3.0), build the "
                    "sketch again, and write it.",
                    WRITE,
                ),
                cure("If it is a library's: take a newer version of the library, which has that mark."),
            ),
        ),
        crash=True,
        source=f"{_CORE}/core_esp8266_wiring_digital.cpp",
        versions="2.5.1 and later",
    ),
    _core(
        name="panic-at",
        example="Panic core_esp8266_main.cpp:133 __yield",
        weight=Weight.FAILS,
        says=CHECK_FAILED,
        crash=True,
    ),
    _core(
        name="panic-yield",
        marks="__yield",
        form=(
            r"\bPanic (?:\S{0,240}[/\\])?(?P<detail>core_esp8266_main\.cpp:\d{1,6} __yield)"
            r"(?:: Assertion '[^']{1,120}' failed)?"
        ),
        example="Panic core_esp8266_main.cpp:137 __yield",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.PANIC,
            "The firmware stopped itself: yield() or delay() was called where the program must not wait",
            "That is in a callback, in an interrupt, or in a task of the SDK: a timer, an asynchronous "
            "web server, an event of the radio. What takes time there must be noted, and done in loop().",
            (
                cure(
                    "Set a flag in the callback, and do the work in loop(); or take a newer version of "
                    "the library."
                ),
            ),
        ),
        crash=True,
        source=f"{_CORE}/core_esp8266_main.cpp",
    ),
    _core(
        name="panic-alone",
        marks="panic",
        form=r"^\s{0,4}Panic (?!core_)(?P<detail>\w[\w /.-]{2,80})\s{0,4}$",
        example="Panic umm_malloc.cpp",
        weight=Weight.FAILS,
        says=CHECK_FAILED,
        crash=True,
        after_loading=True,
        versions="3.1 and later",
    ),
    _core(
        name="cpp-exception",
        example="Unhandled C++ exception: OOM",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.PANIC,
            "The firmware stopped at a C++ exception that nothing catches",
            "The program threw it, or a library did.",
        ),
        crash=True,
        source=f"{_CORE}/abi.cpp",
        versions="2.5 and later",
    ),
    _core(
        name="user-exception",
        example="User exception (panic/abort/assert)",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.PANIC,
            "The firmware stopped itself: a panic, an abort or a check that failed",
            "The core does not say which one; the stack shows the functions.",
        ),
        crash=True,
        versions="2.7 and later",
    ),
    _core(
        name="generic-reset",
        marks="generic reset",
        form=r"^\s{0,4}Generic Reset\s{0,4}$",
        example="Generic Reset",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.PANIC,
            "The firmware was ended for a reason that the core has no name for",
            "The stack shows the functions that were at work.",
        ),
        crash=True,
        after_loading=True,
        versions="2.7 and later",
    ),
    _core(
        name="stack-dump",
        example=">>>stack>>>",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.PANIC,
            "The firmware crashed; what it says of the reason is not in the log",
            "Only the stack is there. The lines above it name the exception or the watchdog.",
        ),
        crash=True,
    ),
    _core(
        name="alloc-caller",
        marks="alloc caller",
        form=r"\blast failed alloc caller: 0x[0-9a-f]{8}",
        example="last failed alloc caller: 0x40207b82",
        weight=Weight.NOTED,
        says=Remark("A request for memory had failed before: too little free memory is the likely reason."),
        versions="3.0 and later",
    ),
    _core(
        name="arduino-size",
        marks="flash size mismatch",
        form=r"\bFlash size mismatch, check that the build setting matches the device",
        example="Flash size mismatch, check that the build setting matches the device.",
        weight=Weight.FAILS,
        says=_SIZE,
        source=f"{_CORE}/core_esp8266_main.cpp",
        versions="3.1 with SDK 3",
    ),
    _core(
        name="arduino-table",
        marks="system partition table registration",
        form=r"\bSystem partition table registration failed",
        example="System partition table registration failed!",
        weight=Weight.FAILS,
        says=_SIZE._replace(verdict=Verdict.PARTITION_TABLE),
        source=f"{_CORE}/core_esp8266_main.cpp",
        versions="3.1 with SDK 3",
    ),
    _core(
        name="string-memory",
        marks="string|oom bytes",
        form=r"^\[String\] '.{0,60}|\bOOM: \d{1,8} -> \d{1,8} bytes",
        example="OOM: 1024 -> 2048 bytes",
        weight=Weight.NOTED,
        says=Remark("A text could not grow: memory is short."),
        source=f"{_CORE}/WString.cpp",
        versions="builds for debugging",
        after_loading=True,
    ),
    # What the sketch tells of the run before; read by the reader of crashes.
    _core(
        name="reset-info",
        example="Fatal exception:29 flag:2 (EXCEPTION) epc1:0x402103f4 epc2:0x00000000",
        weight=Weight.EARLIER,
        says=Remark("The firmware tells how its run before ended."),
        source=f"{_CORE}/Esp.cpp",
    ),
)
