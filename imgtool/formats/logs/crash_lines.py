"""Lines of a crash whose numbers are read, as rows of the table in :mod:`imgtool.formats.logs.boot_lines`.

Not what a crash means, and not the lines that begin one and only say why: those are with who judges logs.
Where each is known from: docs/how-to/boot-logs.md.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from imgtool.formats.logs.line_forms import BootStage, LineForm

__all__ = ["CRASH_FORMS"]

_row = partial(LineForm, stage=BootStage.APPLICATION)
_crash = partial(LineForm, stage=BootStage.APPLICATION, crash=True)

CRASH_FORMS: Final = (
    _row(
        "reset-info",
        "flag",
        r"\bFatal exception ?: ?(?P<info_cause>\d{1,2}) flag ?: ?(?P<info_flag>[0-6]) \(\w{1,30}\)",
        crash=True,
    ),
    # The ROM's and the SDK's, Arduino's, Sming's, Espruino's and Mongoose's.
    _crash(
        "exception",
        "exception|trap",
        r"\bFatal exception ?\((?P<fatal>\d{1,2})\) ?:?|"
        r"\bFatal exception (?P<fatal_named>\d{1,2}) ?\(\w{1,40}\) ?:?|"
        r"\*{3,8} Fatal exception (?P<starred>\d{1,2})\b|"
        r"\bException Reset \((?P<kept>\d{1,2})\) ?:|"
        r"\bException ?\((?P<plain>\d{1,2})\) ?:?|"
        r"\bException (?P<decoded>\d{1,2}): [A-Z][A-Za-z]{3,40}:|"
        r"\bTrap (?P<trap>\d{1,2}): pc=0x(?P<trapped>[0-9a-f]{8}) va=0x(?P<touched>[0-9a-f]{8})|"
        r"\bException (?P<placed>\d{1,2}) @ 0x(?P<place>[0-9a-f]{8})(?:, vaddr 0x(?P<vaddr>[0-9a-f]{8}))?",
    ),
    _crash(
        "guru",
        "guru",
        r"\bGuru Meditation Error(?:: Core {1,3}\d panic'ed(?: ?\((?P<guru>[\w ]{1,60})\))?"
        r"| of type (?P<guru_type>\w{1,40}))?",
    ),
    _crash("soft-wdt", "wdt|watch", (
        r"\b[Ss]oft (?:WDT|wdt) reset|\bSoftware Watchdog Reset|\bSW WDT @ 0x(?P<soft_pc>[0-9a-f]{8})|"
        r"\bSoft watch dog triggle"
    )),
    _crash("hard-wdt", "wdt", r"\bHW WDT @ 0x(?P<hard_pc>[0-9a-f]{8})"),
    _crash("task-wdt", "watchdog", r"\bTask watchdog got triggered"),
    _crash("stack-overflow", "overflow|smashing|canary|overrun|smash", (
        r"\bStack overflow detected|\bStack smashing (?:detected|protect failure)|"
        r"\bstack overflow in task {1,2}(?P<task>[\w.-]{1,20})|"
        r"\bA stack overflow in task (?P<task_2>[\w.-]{1,20})|"
        r"\bTask stack overflow \(high water mark=\d{1,6} name=\"(?P<task_3>[\w .-]{1,30})\"|"
        r"\bStack canary watchpoint triggered \((?P<task_4>[\w .-]{1,30})\)|"
        r"\bStack overflow! Tag \d|\bPANIC: Stack overrun|\bBSSL stack smashing detected"
    )),
    _crash(
        "panic-at",
        "panic",
        r"\bPanic (?!\S{0,240}core_esp8266_main\.cpp:\d{1,6} __yield)(?P<panic_file>"
        r"(?:[A-Za-z]:)?[^\s:]{1,240}):(?P<panic_line>\d{1,6}) (?P<panic_function>[^\s:(]{1,80})"
        r"(?:\([^)]{0,80}\))?(?:: Assertion '(?P<assertion>[^']{1,120})' failed)?",
        example="Panic core_esp8266_main.cpp:133 __yield",
    ),
    _crash("cpp-exception", "unhandled", r"\bUnhandled C\+\+ exception: (?P<cpp>\w{1,40})"),
    _crash("abort", "abort", (
        r"\bAbort called\b|"
        r"\babort\(\) (?:was called(?: at PC 0x(?P<abort_pc>[0-9a-f]{8}))?|"
        r"(?:invoked at|@) 0x(?P<abort_at>[0-9a-f]{8}))"
    )),
    _crash("user-exception", "exception", r"\bUser exception \(panic/abort/assert\)"),
    _crash(
        "lua-panic",
        "unprotected",
        r"\bPANIC: unprotected error in call to Lua API(?: ?\((?P<lua_panic>.{0,200}))?",
        example="PANIC: unprotected error in call to Lua API",
    ),
    _row("reset-reason", "reason", (
        r"\b[Rr]eset reason ?: ?(?:0x)?(?P<reason>[0-6])\b|"
        r"\b(?:[Rr]eset|Restart) [Rr]eason ?:? ?(?P<reason_name>Power On|Hardware Watchdog|Exception|"
        r"Software Watchdog|Software/System restart|Deep-Sleep Wake|External System)"
    ), crash=True),
    _row("cut-here", "cut here", r"-{3,20} CUT HERE FOR EXCEPTION DECODER -{0,20}"),
    _crash("stack-dump", "stack", r">>>stack>>>"),
    # A stack whose beginning was not recorded.
    _crash("stack-words", "3fff", r"(?<!\S)3fff[0-9a-f]{4}: {1,4}(?:[0-9a-f]{8} ){3}[0-9a-f]{8}\b"),
    _crash("registers", "epc", r"\bepc1 ?[=:] ?0x(?P<epc1>[0-9a-f]{8})"),
    _crash("backtrace", "backtrace", (
        r"\bBacktrace: (?P<frames>0x[0-9a-f]{8}:0x[0-9a-f]{8}"
        r"(?: 0x[0-9a-f]{8}:0x[0-9a-f]{8}){0,60})"
    ), after_loading=True),
    _crash("alloc", "alloc", (
        r"\blast failed alloc call: (?P<alloc>[0-9A-Fa-f]{8})\((?P<alloc_size>-?\d{1,10})\)"
        r"(?:@(?P<alloc_place>\S{1,100}))?"
    ), after_loading=True),
)  # fmt: skip
