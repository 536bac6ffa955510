"""Lines that firmware prints once it runs, as rows of the table in :mod:`imgtool.formats.logs.boot_lines`.

Name, words that it cannot be without, form.  The SDK's own, those of NodeMCU and of the Arduino core, and the
first lines of a few others.  Where each is known from: docs/how-to/boot-logs.md.
"""

from __future__ import annotations

from typing import Final

__all__ = ["CRASH_ROWS", "FIRMWARE_ROWS"]

# A crash begins with one of these; crash_reader.py takes what follows.
CRASH_ROWS: Final = (
    (
        "reset-info",
        "flag:",
        r"\bFatal exception ?: ?(?P<info_cause>\d{1,2}) flag ?: ?(?P<info_flag>[0-6]) \(\w{1,30}\)",
    ),
    (
        "exception",
        "xception",
        (
            r"\bFatal exception ?\((?P<fatal>\d{1,2})\) ?:?|"
            r"\bFatal exception (?P<fatal_named>\d{1,2}) ?\(\w{1,40}\) ?:?|"
            r"\bException ?\((?P<plain>\d{1,2})\) ?:?|"
            r"\bException (?P<decoded>\d{1,2}): [A-Z][A-Za-z]{3,40}:"
        ),
    ),
    (
        "guru",
        "Guru Meditation",
        (
            r"\bGuru Meditation Error(?:: Core {1,3}\d panic'ed(?: ?\((?P<guru>[\w ]{1,60})\))?"
            r"| of type (?P<guru_type>\w{1,40}))?"
        ),
    ),
    ("soft-wdt", "oft WDT|oft wdt", r"\b[Ss]oft (?:WDT|wdt) reset"),
    ("task-wdt", "ask watchdog got", r"\bTask watchdog got triggered"),
    ("stack-overflow", "tack overflow|tack smash", (
        r"\bStack overflow detected|\b[Ss]tack smashing detected|"
        r"\bstack overflow in task {1,2}(?P<task>[\w.-]{1,20})|"
        r"\bA stack overflow in task (?P<task_2>[\w.-]{1,20})"
    )),
    (
        "panic-at",
        "Panic ",
        (
            r"\bPanic (?P<panic_file>[^\s:]{1,100}):(?P<panic_line>\d{1,6}) "
            r"(?P<panic_function>[^\s:(]{1,80})(?:\([^)]{0,80}\))?"
            r"(?:: Assertion '(?P<assertion>[^']{1,120})' failed)?"
        ),
    ),
    ("cpp-exception", "Unhandled C++", r"\bUnhandled C\+\+ exception: (?P<cpp>\w{1,40})"),
    ("abort", "bort called|abort() was", (
        r"\bAbort called\b|"
        r"\babort\(\) was called(?: at PC 0x(?P<abort_pc>[0-9a-f]{8}))?"
    )),
    ("user-exception", "User exception", r"\bUser exception \(panic/abort/assert\)"),
    (
        "lua-panic",
        "PANIC: unprotected",
        r"\bPANIC: unprotected error in call to Lua API(?: ?\((?P<lua_panic>.{0,200}))?",
    ),
    ("reset-reason", "eason", (
        r"\b[Rr]eset reason ?: ?(?:0x)?(?P<reason>[0-6])\b|"
        r"\b(?:[Rr]eset|Restart) [Rr]eason ?:? ?(?P<reason_name>Power On|Hardware Watchdog|Exception|"
        r"Software Watchdog|Software/System restart|Deep-Sleep Wake|External System)"
    )),
    ("cut-here", "CUT HERE", r"-{3,20} CUT HERE FOR EXCEPTION DECODER -{0,20}"),
    ("stack-dump", ">>>stack", r">>>stack>>>"),
    # A stack whose beginning was not recorded.
    ("stack-words", "3fff", r"(?<!\S)3fff[0-9a-f]{4}: {1,4}(?:[0-9a-f]{8} ){3}[0-9a-f]{8}\b"),
    ("registers", "epc1", r"\bepc1 ?[=:] ?0x(?P<epc1>[0-9a-f]{8})"),
    ("backtrace", "Backtrace: 0x", (
        r"\bBacktrace: (?P<frames>0x[0-9a-f]{8}:0x[0-9a-f]{8}"
        r"(?: 0x[0-9a-f]{8}:0x[0-9a-f]{8}){0,60})"
    )),
)  # fmt: skip

FIRMWARE_ROWS: Final = (
    # NodeMCU.
    ("nodemcu", "NodeMCU ", r"\bNodeMCU (?:custom build|\d{1,2}\.[\w.]{1,20})"),
    ("lua", "powered by Lua", r"\bpowered by Lua \d[\w.]{0,12}(?: on SDK [\w.()-]{1,30})?"),
    ("restore", "Restore init", r"\bRestore init data"),
    ("lfs-updated", "LFS", (
        r"\bLFS region updated|\bLFS image loaded|\bErasing LFS from flash addr 0x[0-9a-f]{1,8}"
    )),
    ("lfs-absent", "No LFS image", r"\bNo LFS image loaded"),
    ("lua-memory", "not enough memory", r"\bnot enough memory\b"),
    ("lua-error", "lua: |Lua error:", (
        r"(?:\blua: |\bLua error: {1,8})"
        r"(?P<lua_error>(?:[\w/.@-]{1,60}\.l(?:ua|c)|stdin|input):\d{1,6}: .{1,160})"
    )),
    # The SDK's heap.
    ("no-partitions", "E:M -1", r"\bE:M -1\b"),  # what SDK 3 asks for without a partition table
    ("heap", "E:M ", r"\bE:M (?P<heap>\d{1,10})\b"),
    ("oom", ":oom(", r":oom\((?P<oom>\d{1,10})\)@(?P<oom_place>\S{1,100})"),
    ("alloc", "last failed alloc", (
        r"\blast failed alloc call: (?P<alloc>[0-9A-Fa-f]{8})\((?P<alloc_size>-?\d{1,10})\)"
        r"(?:@(?P<alloc_place>\S{1,100}))?"
    )),
    ("system-param", "system param error", r"\bsystem param error\b(?!,)"),
    ("mem-check", "MEM CHECK", r"\bMEM CHECK FAIL"),
    # Its radio.
    ("radio-state", "state: ", r"\bstate: (?P<from>\d) -> (?P<to>\d) \((?P<state>[0-9a-f]{1,4})\)"),
    ("address", "ip:", r"\bip: ?(?P<ip>\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}),"),
    ("radio", "mode : |scandone|fpm close|pm open|dhcp client|add if|del if|connected with ", (
        r"\bmode : (?:sta|softAP|null)\b.{0,60}|\bscandone\b|\bfpm close \d|\bpm open\b.{0,20}|"
        r"\bdhcp client start|\b(?:add|del) if\d|\bconnected with .{1,40}, channel \d{1,2}"
    )),
    # Arduino's event, and what sketches print of it.
    ("radio-reason", "eason", (
        r"(?:[Dd]isconnect|[Ww]i-?[Ff]i|lost).{0,60}\b[Rr]eason ?[:=]? ?(?P<radio_reason>20[0-4])\b"
    )),
    # MicroPython.
    ("python-error", "Error: |Exception: ", r"\b[A-Z]\w{1,30}(?:Error|Exception): .{1,160}"),
    # Others, by their first lines.
    ("firmware", "MicroPython |Tasmota|ESPHome|ESPEasy|ESP Easy|ESP-Open-SDK|Ai-Thinker|rBoot v|Project ", (
        r"\bMicroPython v?\d[\w.+-]{0,40}|\b(?:ESP-)?Tasmota [vV]?\d[\w.()-]{0,30}|"
        r"\bProject \w{1,30} .{0,60}Version \d[\w.()-]{0,30}|"
        r"\bESPHome version \d[\w.-]{0,20}|\bESP ?Easy\b.{0,40}|\bESP-Open-SDK ver: \S{1,20}|"
        r"\bAi-Thinker Technology|\brBoot v\d[\w.]{0,10}"
    )),
)  # fmt: skip
