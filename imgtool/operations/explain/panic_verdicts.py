"""Rules on a firmware that ends itself: panics, aborts, memory, Lua scripts, the SDK's parameters.

Exceptions of the processor and watchdogs: :mod:`imgtool.operations.explain.crash_verdicts`.  Where each line
is known from: docs/how-to/boot-logs.md.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from imgtool.operations import actions
from imgtool.operations.actions import Area, Remark, cure
from imgtool.operations.explain.crash_verdicts import NAME_FUNCTIONS, crash_of, when
from imgtool.operations.explain.messages.table import message_notes, row_of
from imgtool.operations.explain.values import INSPECT, RECORD_FIRMWARE, LogOutcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.formats.logs.boots import Boot
    from imgtool.formats.logs.crash import Crash

__all__ = ["firmware_notes", "out_of_memory", "panic", "python", "script_error"]

_MEMORY_WORDS: Final = ("not enough memory", "OOM", "bad_alloc")
_WITHOUT_SCRIPT: Final = cure(
    "If init.lua does it at every start: remove that file as soon as the prompt comes, "
    'file.remove("init.lua"). If no '
    "prompt comes, erase the file system; that loses every file in it.",
    actions.erase(Area.FILE_SYSTEM),
)
_SEE_MODULES: Final = cure("See which modules the firmware has.", INSPECT)
_LESS_MEMORY: Final = (
    cure(
        "NodeMCU: put the modules into LFS, where their code takes no memory; compile large files; free "
        "what is done."
    ),
    cure("Arduino: texts in flash with F(); shorter String objects; one encrypted connection at a time."),
)
_NIL: Final = re.compile(r"attempt to (?:index|call) (?:global|field|method) '(?P<name>\w{1,40})'")


def out_of_memory(boot: Boot) -> LogOutcome | None:
    """The firmware had no memory left, by its own words."""
    crash = crash_of(boot)
    crash_words = f"{crash.text} {crash.detail or ''}" if crash is not None else ""
    ended = crash is not None and crash.kind in (
        "lua-panic",
        "cpp-exception",
        "abort",
        "panic-at",
        "user-exception",
    )
    by_words = ended and any(word in crash_words for word in _MEMORY_WORDS)
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


def _allocation_notes(crash: Crash) -> Iterator[Remark]:
    if crash.allocation is not None:
        place = f" in {crash.allocation.place}" if crash.allocation.place else ""
        yield Remark(
            f"The request that failed was for {crash.allocation.size:,} bytes, by the code at "
            f"0x{crash.allocation.caller:08x}{place}."
        )


def panic(boot: Boot) -> LogOutcome | None:
    """The firmware ended itself."""
    crash = crash_of(boot)
    if crash is None:
        return None
    if crash.kind == "lua-panic":
        return _lua_panic(crash)
    row = row_of("stack-smashed" if "smash" in crash.text else crash.kind) or row_of("user-exception")
    told = row.says if row is not None and isinstance(row.says, LogOutcome) else _UNNAMED
    says = f" It says '{crash.text}'." if crash.kind != "stack-dump" else ""
    detail = f" The place: {crash.detail}." if crash.detail and crash.kind == "panic-at" else ""
    return LogOutcome(
        told.verdict,
        f"{told.sentence.rstrip('.')}{when(crash)}.",
        f"{told.cause}{says}{detail}".strip(),
        (*told.cures, NAME_FUNCTIONS, cure("If the dump is cut: record all of it.", RECORD_FIRMWARE)),
        tuple(_allocation_notes(crash)),
    )


_UNNAMED: Final = LogOutcome(Verdict.PANIC, "The firmware stopped itself.", "")


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
            cure("Correct the script at the place that the message names."),
            _WITHOUT_SCRIPT,
        ),
    )


def script_error(boot: Boot) -> LogOutcome | None:
    """A Lua script ended with an error; the firmware goes on."""
    if not boot.has("lua-error"):
        return None
    message = " ".join(boot.text_of("lua-error").split())
    missing = _NIL.search(message)
    hint = (
        f" '{missing['name']}' is not there: perhaps a module that the firmware was built without."
        if missing
        else ""
    )
    return LogOutcome(
        Verdict.SCRIPT_ERROR,
        "NodeMCU runs, but a Lua script ended with an error.",
        f"It says '{message}'.{hint} The firmware is in order, and waits at its prompt.",
        (*((_SEE_MODULES,) if missing else ()), cure("Correct the script, and load it again.")),
    )


def python(boot: Boot) -> LogOutcome | None:
    """MicroPython runs, and a script of it does not."""
    if not boot.has("python-error") or not boot.has("micropython", "python-prompt", "python-help"):
        return None
    return LogOutcome(
        Verdict.SCRIPT_ERROR,
        "MicroPython runs, but a script ended with an error.",
        f"It says '{boot.text_of('python-error').strip()}'. The firmware is in order, and waits at its "
        "prompt. The lines above that one say where it was.",
        (cure("Correct the script, and load it again."),),
    )


# Notes on what a firmware that runs prints.

_STATES: Final = {2: "authentication", 3: "association", 5: "the handshake, or later"}
# Numbers of Espressif's own: user_interface.h of the SDK.
_RADIO_REASONS: Final = {
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


def firmware_notes(boot: Boot) -> Iterator[Remark]:
    """Notes on single lines that a firmware prints."""
    yield from message_notes(boot)
    if boot.crashes and boot.crashes[0].earlier and crash_of(boot) is None:
        yield Remark(
            f"Line {boot.crashes[0].line} says '{boot.crashes[0].text}': that is how the run before "
            "ended; this one runs."
        )
    if boot.has("heap") and not boot.crashes and not boot.has("lua-memory"):
        yield Remark(
            f"Line {_line(boot, 'heap')} says '{boot.text_of('heap')}': a request for that many bytes of "
            "memory failed. The firmware went on."
        )
    if boot.has("eboot-copy"):
        yield Remark("Arduino's boot loader copied an update to its place, which worked.")
    yield from _radio_notes(boot)


def _line(boot: Boot, kind: str) -> int:
    return next(message.line for message in boot.messages if message.kind == kind)


def _radio_notes(boot: Boot) -> Iterator[Remark]:
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
    number = re.search(r"\d+$", boot.text_of("radio-reason"))
    if number:
        yield Remark(
            f"Reason {number[0]} for the end of the wireless connection: {_RADIO_REASONS[int(number[0])]}."
        )
    if not losses:
        return
    stage, code = losses[-1]
    # Newer SDKs print the reason in the upper byte.  Where the handshake failed the two do not agree.
    reason = code >> 8 if code > 0xFF else code  # noqa: PLR2004 - a byte
    known = f": {_REASONS[reason]}" if stage < 5 and reason in _REASONS else ""  # noqa: PLR2004 - the handshake
    hint = " Mostly a wrong password." if stage == 5 else ""  # noqa: PLR2004
    yield Remark(f"The way into the wireless network ended at {_STATES[stage]}{known}.{hint}")
