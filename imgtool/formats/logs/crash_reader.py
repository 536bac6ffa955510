"""Reads crash dumps: from the line that begins one to the end of its stack.

Takes what :mod:`imgtool.formats.logs.reader` finds in a log.  No judgement.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from imgtool.formats.logs.crash import Allocation, Crash, StackWord

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CrashReader"]

_MOST_CRASHES: Final = 8  # of a boot: some repeat an exception until the watchdog comes
_MOST_WORDS: Final = 4096  # the whole stack of the SDK is 1024
_MOST_TEXT: Final = 240

_REGISTER: Final = re.compile(
    r"\b(epc[123]|excvaddr|epcvaddr|depc|excsave1) ?[=:] ?0x([0-9a-f]{8})\b|"
    r"\b(PC|PS|A1?\d|SAR|EXCCAUSE|EXCVADDR) {0,6}: {1,2}0x([0-9a-f]{8})\b|"
    r"\b(pc|sp)=0x([0-9a-f]{8})\b"
)
_CONTEXT: Final = re.compile(r"\bctx: (sys|cont|bearssl)\b")
_POINTERS: Final = re.compile(r"\bsp: [0-9a-f]{8} end: [0-9a-f]{8}")
_STACK: Final = re.compile(r"\b(?:0x)?(3f[ef][0-9a-f]{5}): {1,4}((?:[0-9a-f]{8}\b ?){1,4})")
_END: Final = "<<<stack<<<"

# Numbers of rst_info.reason, and the core's words for them: user_interface.h of the SDK and
# https://documentation.espressif.com/esp8266_reset_causes_and_common_fatal_exception_causes_en.html
_REASONS: Final = {1: "hardware-wdt", 2: "exception", 3: "soft-wdt"}
_REASON_NAMES: Final = {"Hardware Watchdog": 1, "Exception": 2, "Software Watchdog": 3}
_ANNOUNCED: Final = 3  # lines in which the registers follow "reset reason: 2"

# Groups of forms that hold the number of the exception, and those that hold a register.
_NUMBERS: Final = ("fatal", "fatal_named", "starred", "kept", "plain", "decoded", "placed", "trap")
_PLACES: Final = {
    "abort_pc": "pc",
    "abort_at": "pc",
    "soft_pc": "pc",
    "hard_pc": "pc",
    "place": "epc1",
    "trapped": "epc1",
    "touched": "excvaddr",
    "vaddr": "excvaddr",
}
_KINDS: Final = {"guru": "exception", "hard-wdt": "hardware-wdt"}

# What the RTOS SDK prints in brackets, by the words of its panic handler.
_GURU_NUMBERS: Final = {
    "IllegalInstruction": 0,
    "InstructionFetchError": 2,
    "LoadStoreError": 3,
    "IntegerDivideByZero": 6,
    "LoadStoreAlignment": 9,
    "InstrFetchProhibited": 20,
    "LoadProhibited": 28,
    "StoreProhibited": 29,
}


@dataclass(slots=True)
class _CrashDraft:
    """A crash that is being read."""

    line: int
    kind: str
    text: str
    exception: int | None = None
    detail: str | None = None
    registers: dict[str, int] = field(default_factory=dict)
    context: str | None = None
    stack: list[StackWord] = field(default_factory=list)
    backtrace: tuple[int, ...] = ()
    allocation: Allocation | None = None
    earlier: bool = False
    in_stack: bool = False

    @property
    def begun(self) -> bool:
        """Whether more than its first line is there: what begins then is another one."""
        return bool(self.registers or self.stack or self.in_stack or self.backtrace)

    def crash(self) -> Crash:
        return Crash(
            line=self.line,
            kind=self.kind,
            text=self.text[:_MOST_TEXT],
            exception=self.exception,
            detail=self.detail,
            registers=tuple(self.registers.items()),
            context=self.context,
            stack=tuple(self.stack),
            backtrace=self.backtrace,
            allocation=self.allocation,
            earlier=self.earlier,
        )


class CrashReader:
    """The crashes of one boot, in order.

    Attributes:
        count: How many there are; only the first ones are kept.
    """

    def __init__(self) -> None:
        self.count = 0
        self._drafts: list[_CrashDraft] = []
        self._current: _CrashDraft | None = None
        self._announced: int | None = None

    @property
    def begun(self) -> bool:
        """Whether there is a crash that lines may belong to."""
        return self._current is not None

    def crashes(self) -> tuple[Crash, ...]:
        """What was read."""
        return tuple(draft.crash() for draft in self._drafts)

    def take(self, name: str, line: int, token: re.Match[str]) -> None:
        """A line, or piece of one, that begins a crash or belongs to it."""
        if name == "reset-reason":
            self._take_reason(line, token)
        elif name == "reset-info":
            self._take_info(line, token)
        elif name == "alloc":
            place = token["alloc_place"]
            draft = self._current or self._begin("user-exception", line, token)
            draft.allocation = Allocation(int(token["alloc"], 16), int(token["alloc_size"]), place)
        elif name in ("registers", "stack-dump", "stack-words", "backtrace"):
            draft = self._current or self._begin(
                "stack-dump" if name.startswith("stack") else "exception", line, token
            )
            draft.in_stack = draft.in_stack or name == "stack-dump"
            if name == "backtrace" and not draft.backtrace:
                pairs = token["frames"].split()
                draft.backtrace = tuple(int(pair.split(":")[0], 16) for pair in pairs)
        else:
            self._take_start(name, line, token)

    def take_line(self, text: str) -> bool:
        """A whole line; returns whether it is part of a dump."""
        draft = self._current
        if draft is None:
            return False
        if _END in text:
            draft.in_stack = False
            return True
        taken = _POINTERS.search(text) is not None
        for match in _REGISTER.finditer(text):
            name, value = (group for group in match.groups() if group is not None)
            draft.registers.setdefault(name.lower(), int(value, 16))
            taken = True
        if "exccause" in draft.registers and draft.exception is None:
            draft.exception = draft.registers["exccause"] & 0x3F
        context = _CONTEXT.search(text)
        if context:
            draft.context = draft.context or context[1]
            taken = True
        return self._take_words(draft, _STACK.finditer(text)) or taken

    def _take_words(self, draft: _CrashDraft, matches: Iterable[re.Match[str]]) -> bool:
        taken = False
        for match in matches:
            start = int(match[1], 16)
            taken = True
            for index, word in enumerate(match[2].split()):
                if len(draft.stack) < _MOST_WORDS:
                    draft.stack.append(StackWord(start + 4 * index, int(word, 16)))
        return taken

    def _begin(self, kind: str, line: int, token: re.Match[str]) -> _CrashDraft:
        draft = _CrashDraft(line, kind, token[0].strip())
        self._current = draft
        self.count += 1
        if len(self._drafts) < _MOST_CRASHES:
            self._drafts.append(draft)
        return draft

    def _take_start(self, name: str, line: int, token: re.Match[str]) -> None:
        draft = self._current
        if draft is None or draft.begun or draft.exception is not None or name in ("lua-panic", draft.kind):
            draft = self._begin(_KINDS.get(name, name), line, token)
            if self._announced is not None and line - self._announced <= _ANNOUNCED:
                draft.earlier = True
        elif draft.kind == "user-exception":  # a heading; the cause stands behind it
            draft.kind, draft.text = _KINDS.get(name, name), token[0].strip()
        groups = {key: value for key, value in token.groupdict().items() if value is not None}
        numbers = [groups[key] for key in _NUMBERS if key in groups]
        if numbers:
            draft.exception = int(numbers[0])
        guru = groups.get("guru", groups.get("guru_type"))
        if guru is not None:
            draft.exception = _GURU_NUMBERS.get(guru.replace("Cause", ""))
            draft.detail = guru
        for key, register in _PLACES.items():
            if key in groups:
                draft.registers[register] = int(groups[key], 16)
        if draft.detail is None:
            draft.detail = _detail(name, groups)

    def _take_reason(self, line: int, token: re.Match[str]) -> None:
        number = int(token["reason"]) if token["reason"] else _REASON_NAMES.get(token["reason_name"], 0)
        if number == 2:  # noqa: PLR2004 - an exception: its registers follow, or nothing is known of it
            self._announced = line
            if token["reason"]:
                return
        kind = _REASONS.get(number)
        if kind is not None:
            self._begin(kind, line, token).earlier = True

    def _take_info(self, line: int, token: re.Match[str]) -> None:
        kind = _REASONS.get(int(token["info_flag"]))
        if kind is None:
            return
        draft = self._begin(kind, line, token)
        draft.earlier = True
        if kind == "exception":
            draft.exception = int(token["info_cause"])


def _detail(name: str, groups: dict[str, str]) -> str | None:
    if name == "lua-panic":
        lua = groups.get("lua_panic", "").rstrip()
        return (lua.removesuffix(")") if lua.count(")") > lua.count("(") else lua) or None
    if name == "panic-at":
        assertion = groups.get("assertion")
        place = f"{groups['panic_file']}:{groups['panic_line']} in {groups['panic_function']}"
        return f"{place}: '{assertion}' does not hold" if assertion else place
    return next((groups[key] for key in _DETAILS if key in groups), None)


_DETAILS: Final = ("cpp", "task", "task_2", "task_3", "task_4", "detail")
"""Groups that say more; the last one is that of rows that others know."""
