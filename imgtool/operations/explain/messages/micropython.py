"""What MicroPython and CircuitPython say.

Not what a script prints.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from imgtool.operations import actions
from imgtool.operations.actions import Area, FileRole, Remark, cure
from imgtool.operations.explain.messages.row import Message, Speaker, Weight
from imgtool.operations.explain.values import CHECK_FAILED, WRITE, LogOutcome, Verdict

__all__ = ["LARGEST", "ROWS"]

_PORT: Final = "https://github.com/micropython/micropython/blob/master/ports/esp8266"
_MAIN: Final = f"{_PORT}/main.c"
_SETUP: Final = f"{_PORT}/modules/inisetup.py"
_INIT_DATA: Final = f"{_PORT}/esp_init_data.c"
_REPL: Final = "https://github.com/micropython/micropython/blob/master/shared/runtime/pyexec.c"

LARGEST: Final = "4MB"
"""The largest size in the header that every build starts with; a test holds it to layout/generations.py."""

_RIGHT_SIZE: Final = cure(
    f"Write MicroPython again with a flash size that it can use in the header: {LARGEST}, or that of the "
    "chip where it has less.",
    actions.flash(FileRole.FIRMWARE, size=LARGEST),
)
_ASK: Final = cure("Ask the chip for its size.", actions.ask_chip())
_SAVE: Final = cure(
    "If the files matter: keep what is on the chip, and see which of them can still be read.",
    actions.read(FileRole.DUMP),
    actions.extract_files(FileRole.DUMP),
)
_ANEW: Final = cure(
    "Then erase the chip and write the firmware again; that loses every file on it.",
    actions.erase(Area.ALL),
    WRITE,
)
_AGAIN_AND_AGAIN: Final = LogOutcome(
    Verdict.FLASH_SIZE,
    "MicroPython sets itself up at every start, and never gets further.",
    "Line {line} says '{text}', start after start, which belongs to the first one alone. It looks for its "
    "data by the flash size in the header, which is larger than the chip, or than the SDK inside can use.",
    (_RIGHT_SIZE, _ASK),
)

_python = partial(Message, speaker=Speaker.MICROPYTHON, source=_MAIN)

ROWS: Final = (
    _python(
        name="micropython",
        marks="micropython|circuitpython",
        form=(
            r"\bMicroPython v?\d[\w.+-]{0,40}(?: on \d{4}-\d\d-\d\d)?(?:; \w[\w .-]{0,40} with ESP8266)?|"
            r"\bAdafruit CircuitPython \d[\w.+-]{0,40}(?: on \d{4}-\d\d-\d\d)?(?:; .{1,60} with ESP8266)?"
        ),
        example="MicroPython v1.20.0 on 2023-04-26; ESP module with ESP8266",
        weight=Weight.RUNS,
        says="the banner, which comes behind its start-up scripts",
        source=_REPL,
    ),
    _python(
        name="python-help",
        marks="type help information",
        form=r'\bType "help\(\)" for more information',
        example='Type "help()" for more information.',
        weight=Weight.RUNS,
        says="the end of the banner",
        source=_REPL,
    ),
    _python(
        name="circuitpython-reload",
        marks="auto reload|code running waiting|key enter repl",
        form=(
            r"\bAuto-reload is (?:on|off)\b|\bCode done running\.|"
            r"\bPress any key to enter the REPL\b|\bpress any key to enter the REPL\b"
        ),
        example="Code done running. Waiting for reload.",
        weight=Weight.RUNS,
        says="CircuitPython is through with its scripts",
        source="https://github.com/adafruit/circuitpython/blob/3.x/main.c",
        versions="CircuitPython",
    ),
    _python(
        name="python-prompt",
        marks=">>>",
        form=r">>>(?: (?!HomeKit|mDNS|wifi_)\S.{0,200})?",
        example=">>> ",
        weight=Weight.RUNS,
        says="the prompt",
        source=_REPL,
        after_loading=True,
        whole=True,
    ),
    _python(
        name="python-reboot",
        marks="soft reboot",
        form=r"\b(?:MPY|PYB): soft reboot",
        example="MPY: soft reboot",
        weight=Weight.RUNS,
        says="Python starts anew, without a reset of the chip",
    ),
    _python(
        name="python-task",
        marks="ets_task|ets_alt_task|find module boot|prio range",
        form=(
            r"#?\b\d{1,2} ets_task\([0-9a-f]{1,8}, ?\d{1,3}, ?[0-9a-f]{1,8}, ?\d{1,3}\)|"
            r"\bets_alt_task: ets_run|\bcould not find module 'boot'|\btask prio out of range: ?\d"
        ),
        example="#6 ets_task(40100394, 3, 3fff83f0, 4)",
        weight=Weight.NORMAL,
        says="MicroPython sets its tasks up; all of these lines are harmless",
        source=f"{_PORT}/ets_alt_task.c",
    ),
    _python(
        name="python-size-fix",
        marks="bootloader flash size incorrectly",
        form=r"\bBootloader Flash size appear to have been set incorrectly, trying to fix",
        example="Bootloader Flash size appear to have been set incorrectly, trying to fix",
        weight=Weight.REPEATS,
        says=LogOutcome(
            Verdict.FLASH_SIZE,
            "MicroPython finds the flash size in its header wrong, changes it and restarts, again and again.",
            "Line {line} says '{text}', start after start. The size in the header is one that "
            "MicroPython's SDK cannot use, mostly more than 4 MB, or more than the chip has.",
            (_RIGHT_SIZE, _ASK),
        ),
        once=Remark(
            "MicroPython found the flash size in its header wrong, and changed it. It restarts once for that."
        ),
        source="https://github.com/micropython/micropython/issues/2335",
        versions="1.8 to 1.10",
    ),
    _python(
        name="python-setup",
        slow=True,
        marks="performing initial setup",
        form=r"\bPerforming initial setup",
        example="Performing initial setup",
        weight=Weight.REPEATS,
        says=_AGAIN_AND_AGAIN._replace(
            cause=_AGAIN_AND_AGAIN.cause
            + " Or its file system cannot be kept: then erase the chip, and write it anew.",
            cures=(_RIGHT_SIZE, _ASK, _ANEW),
        ),
        once=Remark("MicroPython makes a new file system, once."),
        source=_SETUP,
    ),
    _python(
        name="python-init-data",
        slow=True,
        marks="writing init data",
        form=r"\bWriting init data\b",
        example="Writing init data",
        weight=Weight.REPEATS,
        says=_AGAIN_AND_AGAIN,
        once=Remark("MicroPython writes init data, once."),
        source=_INIT_DATA,
    ),
    _python(
        name="python-files",
        marks="filesystem starting",
        form=(
            r"\bThe (?:FAT )?filesystem starting at sector \w{1,12} with size \w{1,12} sectors"
            r"(?: looks corrupt| appears to(?: be corrupted)?)?"
        ),
        example="The filesystem starting at sector 153 with size 866 sectors looks corrupt.",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.FILE_SYSTEM,
            "MicroPython finds its file system damaged, and stops in its setup.",
            "It says '{text}'. It was not written to its end, mostly as power was lost; the flash size in "
            "the header is wrong; or something else was written there. It says so every three seconds "
            "until Ctrl-C.",
            (_SAVE, _ANEW),
        ),
        source=_SETUP,
    ),
    _python(
        name="nlr-failed",
        marks="nlr jump failed",
        form=r"\bNLR jump failed\b",
        example="NLR jump failed",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.PANIC,
            "MicroPython stops: an exception in its own start that nothing catches.",
            "Line {line} says '{text}'. Mostly the flash cannot be read or written where its files should "
            "be (OSError: 5), or memory is short; a line above it names the exception.",
            (_RIGHT_SIZE, _SAVE, _ANEW),
        ),
    ),
    _python(
        name="python-assert",
        marks="assertion failed file|assert",
        form=(
            r"\bAssertion '(?P<detail>[^']{1,120})' failed, at file \S{1,100}:\d|"
            r"\bassert:(?P<place>[\w/.-]{1,100}:\d{1,6}):\w{1,60}: .{1,80}"
        ),
        example="Assertion 'len == 4' failed, at file esp_init_data.c:55",
        weight=Weight.FAILS,
        says=CHECK_FAILED,
        crash=True,
    ),
    _python(
        name="python-restarted",
        marks="system restarted due error|reason wdt|reason exception|reason soft_wdt",
        form=r"\bThe system restarted due to an error|\bReason: (?:WDT|EXCEPTION|SOFT_WDT)\b",
        example="The system restarted due to an error.",
        weight=Weight.EARLIER,
        says=Remark("MicroPython tells that its run before ended with an error."),
    ),
    Message(
        speaker=Speaker.ANY,
        name="python-error",
        marks=(
            "oserror|importerror|memoryerror|syntaxerror|nameerror|typeerror|valueerror|attributeerror|keyerror|indexerror|runtimeerror|zerodivisionerror|indentationerror|assertionerror|keyboardinterrupt"
        ),
        form=r"^\s{0,4}(?:[A-Z]\w{1,30}Error: .{1,160}|KeyboardInterrupt: ?)",
        example="OSError: [Errno 2] ENOENT",
        weight=Weight.NORMAL,
        says="a script ended with an error; the firmware is in order",
        source=_REPL,
        after_loading=True,
    ),
    _python(
        name="python-traceback",
        marks="traceback recent|file line",
        form=(
            r"\bTraceback \(most recent call last\):|"
            r'^\s{0,4}File "[^"]{1,80}", line \d{1,6}(?:, in .{1,60})?'
        ),
        example="Traceback (most recent call last):",
        weight=Weight.NORMAL,
        says="where the script was",
        source=_REPL,
        after_loading=True,
    ),
)
