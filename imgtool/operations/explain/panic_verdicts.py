"""Rules on a firmware that ends itself: panics, aborts, memory, Lua scripts, the SDK's parameters.

Exceptions of the processor and watchdogs: :mod:`imgtool.operations.explain.crash_verdicts`.  Where each line
is known
from: docs/how-to/boot-logs.md.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from imgtool.operations.explain.boot_verdicts import INSPECT, MONITOR_FIRMWARE, Cure, LogOutcome, Verdict
from imgtool.operations.explain.crash_verdicts import NAME_FUNCTIONS, when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.formats.logs.boots import Boot
    from imgtool.formats.logs.crash import Crash

__all__ = ["firmware_notes", "out_of_memory", "panic", "script_error", "system_param"]

_MEMORY_WORDS: Final = ("not enough memory", "OOM", "bad_alloc")
_WITHOUT_SCRIPT: Final = Cure(
    "If init.lua does it at every start: remove that file as soon as the prompt comes, "
    'file.remove("init.lua"). If no '
    "prompt comes, erase the file system; that loses every file in it.",
    ("imgtool erase filesystem",),
)
_SEE_MODULES: Final = Cure("See which modules the firmware has.", (INSPECT,))
_LESS_MEMORY: Final = (
    Cure(
        "NodeMCU: put the modules into LFS, where their code takes no memory; compile large files; free "
        "what is done."
    ),
    Cure("Arduino: texts in flash with F(); shorter String objects; one encrypted connection at a time."),
)
_NIL: Final = re.compile(r"attempt to (?:index|call) (?:global|field|method) '(?P<name>\w{1,40})'")


def out_of_memory(boot: Boot) -> LogOutcome | None:
    """The firmware had no memory left, by its own words."""
    crash = boot.crashes[0] if boot.crashes else None
    said = f"{crash.text} {crash.detail or ''}" if crash is not None else ""
    ended = crash is not None and crash.kind in (
        "lua-panic",
        "cpp-exception",
        "abort",
        "panic-at",
        "user-exception",
    )
    by_words = ended and any(word in said for word in _MEMORY_WORDS)
    behind_heap = crash is not None and crash.kind == "lua-panic" and boot.has("heap")
    in_script = "not enough memory" in boot.text_of("lua-error")
    alone = crash is None and (boot.has("lua-memory") or in_script)
    if not (by_words or behind_heap or alone):
        return None
    size = re.search(r"\d+", boot.text_of("heap"))
    failed = f" A request for {int(size[0]):,} bytes failed." if size else ""
    own = boot.text_of("lua-error" if in_script else "lua-memory")
    words = " ".join(own.split()) if crash is None else crash.text
    end = "and restarted" if crash is not None else "and the script ended"
    return LogOutcome(
        Verdict.OUT_OF_MEMORY,
        f"The firmware ran out of memory, {end}.",
        f"It says '{words}'.{failed} The heap is full, or in pieces so small that none is large enough. A "
        "script or program that grew over time leaks; one that fails at its start is too large.",
        (*_LESS_MEMORY, *((_WITHOUT_SCRIPT,) if crash is not None and crash.kind == "lua-panic" else ())),
        tuple(_allocation_notes(crash)) if crash else (),
    )


def _allocation_notes(crash: Crash) -> Iterator[str]:
    if crash.allocation is not None:
        place = f" in {crash.allocation.place}" if crash.allocation.place else ""
        yield (
            f"The request that failed was for {crash.allocation.size:,} bytes, by the code at "
            f"0x{crash.allocation.caller:08x}{place}."
        )


def panic(boot: Boot) -> LogOutcome | None:
    """The firmware ended itself."""
    crash = boot.crashes[0] if boot.crashes else None
    if crash is None:
        return None
    if crash.kind == "lua-panic":
        return _lua_panic(crash)
    says = f" It says '{crash.text}'." if crash.kind != "stack-dump" else ""
    kind = "smashed" if "smash" in crash.text else crash.kind
    what, cause = _PANICS.get(kind, _PANICS["user-exception"])
    detail = f" The place: {crash.detail}." if crash.detail and crash.kind == "panic-at" else ""
    return LogOutcome(
        Verdict.PANIC,
        f"{what}{when(crash)}.",
        f"{cause}{says}{detail}",
        (NAME_FUNCTIONS, Cure("If the dump is cut: record all of it.", (MONITOR_FIRMWARE,))),
        tuple(_allocation_notes(crash)),
    )


_PANICS: Final = {
    "panic-at": (
        "The firmware stopped itself: a check in it failed",
        "The program, or a library in it, found something that must not be, and gave up.",
    ),
    "abort": (
        "The firmware stopped itself with abort()",
        (
            "The program, or a library in it, gave up: mostly a check that failed, or memory that could "
            "not be had."
        ),
    ),
    "cpp-exception": (
        "The firmware stopped at a C++ exception that nothing catches",
        "The program threw it, or a library did.",
    ),
    "stack-overflow": (
        "The stack of the firmware overflowed",
        (
            "Arrays in functions are too large, or functions call themselves too deep. Arduino's loop() "
            "has 4 KB."
        ),
    ),
    "smashed": (
        "The firmware stopped itself: a function wrote behind the end of one of its variables",
        (
            "Mostly a text or an array that is too long for where it is copied to. It was found when the "
            "function returned."
        ),
    ),
    "user-exception": (
        "The firmware stopped itself: a panic, an abort or a check that failed",
        "The core does not say which one; the stack shows the functions.",
    ),
    "stack-dump": (
        "The firmware crashed; what it says of the reason is not in the log",
        "Only the stack is there. The lines above it name the exception or the watchdog.",
    ),
}


def _lua_panic(crash: Crash) -> LogOutcome:
    missing = _NIL.search(crash.detail or "")
    why = f"Lua's message is '{crash.detail}'." if crash.detail else "Lua's message is not in the log."
    hint = (
        f" '{missing['name']}' is not there: a module that the firmware was built without, a misspelt "
        "name, or something that was not loaded."
        if missing
        else ""
    )
    return LogOutcome(
        Verdict.PANIC,
        "NodeMCU restarted: an error in a Lua callback that nothing catches.",
        f"{why}{hint} The firmware itself is in order: the error is in the script, or the script does not "
        "fit this firmware.",
        (
            *((_SEE_MODULES,) if missing else ()),
            Cure("Correct the script at the place that the message names."),
            _WITHOUT_SCRIPT,
        ),
    )


def script_error(boot: Boot) -> LogOutcome | None:
    """A Lua script ended with an error; the firmware goes on."""
    if not boot.has("lua-error"):
        return None
    said = " ".join(boot.text_of("lua-error").split())
    missing = _NIL.search(said)
    hint = (
        f" '{missing['name']}' is not there: perhaps a module that the firmware was built without."
        if missing
        else ""
    )
    return LogOutcome(
        Verdict.SCRIPT_ERROR,
        "NodeMCU runs, but a Lua script ended with an error.",
        f"It says '{said}'.{hint} The firmware is in order, and waits at its prompt.",
        (*((_SEE_MODULES,) if missing else ()), Cure("Correct the script, and load it again.")),
    )


def python(boot: Boot) -> LogOutcome | None:
    """MicroPython runs, and its file system or a script of it does not."""
    if boot.has("python-files"):
        return LogOutcome(
            Verdict.FILE_SYSTEM,
            "MicroPython runs, but its file system is damaged.",
            f"It says '{boot.text_of('python-files')}'. It was not written to its end, mostly as power was "
            "lost; the flash size in the header is wrong; or something else was written there.",
            (
                Cure(
                    "Keep what is on the chip, and see which files can still be read.",
                    ("imgtool read -o dump.bin", "imgtool extract --files dump.bin"),
                ),
                Cure(
                    "Then erase the chip and write the firmware again; that loses every file on it.",
                    ("imgtool erase all", "imgtool flash FILE"),
                ),
            ),
        )
    if not boot.has("python-error") or not boot.text_of("firmware").startswith("MicroPython"):
        return None
    return LogOutcome(
        Verdict.SCRIPT_ERROR,
        "MicroPython runs, but a script ended with an error.",
        f"It says '{boot.text_of('python-error').strip()}'. The firmware is in order, and waits at its "
        "prompt. The lines above that one say where it was.",
        (Cure("Correct the script, and load it again."),),
    )


def system_param(boot: Boot) -> LogOutcome | None:
    """The SDK cannot read its parameters."""
    # The bytes that were found follow it; without them the log may be cut in the message that is harmless.
    if not boot.has("system-param") or not boot.firmware_lines:
        return None
    return LogOutcome(
        Verdict.SYSTEM_PARAM,
        "The SDK stops: it finds no parameters of its own where it looks for them.",
        "They are in the last three sectors of the flash, by the size in the image header. In the threads "
        "about this message the header had a larger size than the chip, so that these sectors lay in the "
        "firmware. Else something was written there.",
        (
            Cure("See the size of the chip, and that in the header.", ("imgtool id", INSPECT)),
            Cure(
                "Write the file again: imgtool flash puts the size of the chip into the header.",
                ("imgtool flash FILE",),
            ),
            Cure(
                "If the sizes agree: blank these sectors; the SDK makes them anew.",
                ("imgtool erase system-param",),
            ),
        ),
    )


# What else a firmware that runs has said.

_STATES: Final = {2: "authentication", 3: "association", 5: "the handshake, or later"}
# Numbers of Espressif's own: user_interface.h of the SDK.
_TOLD_REASONS: Final = {
    200: "the access point was no longer heard",
    201: "the network was not found, by a wrong name, too far away, or not on 2.4 GHz",
    202: "the authentication failed, mostly by a wrong password",
    203: "the access point refused the association",
    204: "the handshake failed, mostly by a wrong password",
}
_REASONS: Final = {
    2: "the authentication was not answered in time",
    4: "the association was not answered in time",
}


def firmware_notes(boot: Boot) -> Iterator[str]:
    """Notes on single lines that a firmware prints."""
    for kind, note in _NOTES:
        if boot.has(kind):
            yield note
    if boot.has("heap") and not boot.crashes and not boot.has("lua-memory"):
        yield (
            f"Line {_line(boot, 'heap')} says '{boot.text_of('heap')}': a request for that many bytes of "
            "memory failed. The firmware went on."
        )
    copied = re.search(r"@cp:([0-9a-f]+)", boot.text_of("eboot-copy"))
    if copied:
        done = "worked" if int(copied[1], 16) == 0 else f"failed with number {copied[1]}"
        yield f"Arduino's boot loader copied an update to its place, which {done}."
    yield from _radio_notes(boot)


def _line(boot: Boot, kind: str) -> int:
    return next(message.line for message in boot.messages if message.kind == kind)


_NOTES: Final = (
    (
        "format",
        (
            "NodeMCU makes a new file system, which takes up to a minute, once. If it does so at every "
            "start: it was reset before it was done, or the flash size in the header is wrong."
        ),
    ),
    ("no-init-lua", "'cannot open init.lua' is in order for a new file system: there is no script yet."),
    (
        "adjust",
        (
            "NodeMCU 0.9 sets the flash size in the header to that of the chip, and restarts once; that "
            "is in order."
        ),
    ),
    (
        "lfs-corrupted",
        "The LFS image is damaged: load it again, from a file or with imgtool flash @lfs FILE.",
    ),
    (
        "last-param",
        (
            "The SDK found its newest parameters damaged, mostly as power was lost while it wrote them, "
            "and took the ones before; nothing is to be done."
        ),
    ),
    ("radio-absent", "The wireless network was not found: a wrong name, too far away, or not on 2.4 GHz."),
    ("radio-refused", "The access point refused the chip: mostly a wrong password."),
    ("radio-lost", "The access point was no longer heard: too far away, switched off, or a weak supply."),
)


def _radio_notes(boot: Boot) -> Iterator[str]:
    losses: list[tuple[int, int]] = []
    inside = False
    for message in boot.messages:
        if message.kind == "address":
            inside = True
            losses.clear()  # it got in after all
        state = re.fullmatch(r"state: (\d) -> 0 \(([0-9a-f]+)\)", message.text)
        if state and int(state[1]) in _STATES:
            if not inside:
                losses.append((int(state[1]), int(state[2], 16)))
            inside = False  # what ends there is no way in, but the way out
    told = re.search(r"\d+$", boot.text_of("radio-reason"))
    if told:
        yield f"Reason {told[0]} for the end of the wireless connection: {_TOLD_REASONS[int(told[0])]}."
    if not losses:
        return
    stage, code = losses[-1]
    # Newer SDKs print the reason in the upper byte.  Where the handshake failed the two do not agree.
    reason = code >> 8 if code > 0xFF else code  # noqa: PLR2004 - a byte
    known = f": {_REASONS[reason]}" if stage < 5 and reason in _REASONS else ""  # noqa: PLR2004 - the handshake
    hint = " Mostly a wrong password." if stage == 5 else ""  # noqa: PLR2004
    yield f"The way into the wireless network ended at {_STATES[stage]}{known}.{hint}"
