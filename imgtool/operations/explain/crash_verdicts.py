"""Rules on crashes: exceptions of the processor, and watchdogs.

Crashes that a firmware brings about itself: :mod:`imgtool.operations.explain.panic_verdicts`.  What the
numbers and registers mean: https://arduino-esp8266.readthedocs.io/en/latest/exception_causes.html and
Espressif's
https://documentation.espressif.com/esp8266_reset_causes_and_common_fatal_exception_causes_en.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.formats.logs.crash import DIVISION_BY_ZERO, EXCEPTIONS, place_of
from imgtool.formats.logs.line_forms import BootStage
from imgtool.operations.actions import Remark, cure, name_functions
from imgtool.operations.explain.boot_verdicts import whole_files
from imgtool.operations.explain.messages.row import Weight
from imgtool.operations.explain.messages.table import evidence_of, row_of
from imgtool.operations.explain.values import (
    RECORD_FIRMWARE,
    SAFEST_WRITE,
    VERIFY,
    WRITE,
    LogOutcome,
    Verdict,
)

if TYPE_CHECKING:
    from imgtool.formats.logs.boots import Boot
    from imgtool.formats.logs.crash import Crash
    from imgtool.operations.actions import Cure

__all__ = ["NAME_FUNCTIONS", "crash_of", "exception", "hardware_watchdog", "watchdog", "when"]

NAME_FUNCTIONS: Final = cure(
    "See which function that was: give the ELF file of exactly this build.", name_functions()
)
_WHOLE: Final = cure("Record the whole dump; it says where that was.", RECORD_FIRMWARE)
_AGAIN: Final = cure("If so, write all of it again, and compare.", WRITE, VERIFY)
_OTHER_MODE: Final = cure(
    "If it verifies, and this stays: a mode that every flash chip knows, and a better power supply.",
    SAFEST_WRITE,
)

_ILLEGAL, _FETCH, _LOAD_STORE, _INTERRUPT, _DIVISION, _ALIGNMENT = 0, 2, 3, 4, 6, 9
_FETCH_PROHIBITED, _LOAD_PROHIBITED, _STORE_PROHIBITED = 20, 28, 29
_NEAR_ZERO: Final = 0x1000
_FLASH: Final = "flash (irom)"


def exception(boot: Boot) -> LogOutcome | None:
    """The processor met something that it cannot do."""
    crash = _first(boot, "exception")
    if crash is None:
        return None
    number = _number(crash)
    name = EXCEPTIONS.get(number, "a reserved number") if number is not None else None
    at = "" if crash.pc is None else f" at 0x{crash.pc:08x}"
    what = f"{name} (exception {number}){at}" if name else f"an exception{at}"
    if number is None or (crash.pc is None and not crash.registers):
        meaning = (
            f"{_meaning(number, crash)} The registers are not in the log: they say where and why.".strip()
        )
    else:
        meaning = _meaning(number, crash)
    early = _is_early(boot, crash) and number != _DIVISION
    return LogOutcome(
        Verdict.EXCEPTION,
        f"The firmware crashed{when(crash)}: {what}.",
        f"{meaning} {_behind(boot, crash, early=early)}",
        _cures(boot, crash, early=early),
        tuple(_notes(boot, crash)),
    )


def when(crash: Crash) -> str:
    """Words for a crash of the run before, which the firmware tells of once it runs again."""
    return " in the run before" if crash.earlier else ""


def _first(boot: Boot, *kinds: str) -> Crash | None:
    crash = crash_of(boot)
    return crash if crash is not None and crash.kind in kinds else None


def crash_of(boot: Boot) -> Crash | None:
    """The crash that a boot is judged by: its first one; not one of the run before, where it runs now."""
    told = (crash for crash in boot.crashes if not (crash.earlier and evidence_of(boot, after=crash.line)))
    return next(told, None)


def _number(crash: Crash) -> int | None:
    return _DIVISION if crash.exception == _ILLEGAL and crash.pc == DIVISION_BY_ZERO else crash.exception


def _meaning(number: int | None, crash: Crash) -> str:
    """What the number and the registers say together."""
    pc = "" if crash.pc is None else f" at 0x{crash.pc:08x} ({place_of(crash.pc)})"
    if number in (_LOAD_STORE, _ALIGNMENT, _LOAD_PROHIBITED, _STORE_PROHIBITED):
        return _access(number, crash, pc)
    where = pc or " there"
    pointer = "" if crash.pc is None else f" to 0x{crash.pc:08x} ({place_of(crash.pc)})"
    jump = (
        f"The program jumped{pointer}; there is no code. Mostly a pointer to a function, such as a callback, "
        "that was never set or was overwritten."
    )
    known = {
        None: f"It happened{pc}." if pc else "",
        _ILLEGAL: f"What stands{where} is no instruction: data, erased flash, or code of another build.",
        _DIVISION: f"The program divided an integer by 0{_in_rom(crash)}.",
        _FETCH: jump,
        _FETCH_PROHIBITED: jump,
        _INTERRUPT: f"The program was interrupted{pc}; this number mostly stands for a watchdog.",
    }
    rare = f"It happened{where}. This number is rare on the chip: mostly the program jumped into data."
    return known.get(number, rare)


def _access(number: int, crash: Crash, pc: str) -> str:
    """Exceptions of a load or a store."""
    address = crash.accessed
    at = "" if address is None else f" 0x{address:08x} ({place_of(address)})"
    if number == _LOAD_STORE:
        return (
            f"The code{pc} read or wrote{at or ' an address'}. Flash, ROM and RAM for code can only be "
            "read in whole words, and flash cannot be written: mostly a text or table in flash (PROGMEM) "
            "that is read byte by byte."
        )
    if number == _ALIGNMENT:
        return (
            f"The code{pc} read or wrote{at or ' an address'}, as a word or half word. Its address must be a "
            "multiple of 4 or 2: a pointer to bytes was used as one to numbers, or is overwritten."
        )
    verb = "read from" if number == _LOAD_PROHIBITED else "wrote to"
    if address is not None and address < _NEAR_ZERO:
        why = (
            "A pointer was used that is null: often memory that the program did not get, or an object that "
            "does not exist."
        )
    else:
        why = "A pointer is wrong: used after its memory was freed, overwritten, or never set."
    return f"The code{pc} {verb}{at or ' memory that it must not'}. {why}"


def _in_rom(crash: Crash) -> str:
    return ": the ROM's division ends at that address for it" if crash.pc == DIVISION_BY_ZERO else ""


def _is_early(boot: Boot, crash: Crash) -> bool:
    """Whether nothing of the application came before it, in a log that has the loading."""
    if boot.checksum is None and boot.loader is None:
        return False
    printed = any(line < crash.line for line, _ in boot.firmware) or any(
        message.line < crash.line and _is_spoken(message.kind) for message in boot.messages
    )
    return not printed and not boot.noise and not crash.earlier


def _is_spoken(kind: str) -> bool:
    """Whether an application's own code prints such a line; before that runs nobody does."""
    row = row_of(kind)
    if row is None or row.weight in (Weight.FAILS, Weight.EARLIER) or kind in ("cut-here", "nodemcu-size"):
        return False
    own = row.speaker.stage is BootStage.APPLICATION
    return own or row.weight in (Weight.RUNS, Weight.SPEAKS) or kind in ("heap", "oom")


def _behind(boot: Boot, crash: Crash, *, early: bool) -> str:
    pc = crash.pc
    if early and boot.has("eboot-load"):
        return (
            "It comes at once, before the sketch says anything. The sketch fails in setup() or before it; or "
            "it cannot handle its settings; or the application in flash is damaged, which Arduino's boot "
            "loader does not check."
        )
    if early:
        flash = (
            "so the code in flash is probably not what it should be: 0x10000.bin is missing, damaged or "
            "of another build than 0x00000.bin, or the flash is read in a wrong mode"
            if pc is None or place_of(pc) in (_FLASH, "no memory")
            else "so a damaged or mixed firmware, wrong settings in flash or a weak supply are as "
            "likely as an error of the program"
        )
        return (
            f"It comes at once, before the firmware says anything, {flash}. If the firmware ran "
            "before with these files, it has an error of its own, or cannot handle its settings."
        )
    if boot.has("heap", "oom") or crash.allocation is not None:
        return (
            "A request for memory failed before, and the program may not have checked that: too little free "
            "memory is the likely reason."
        )
    if boot.checksum is None and boot.loader is None and not boot.firmware_lines and not crash.earlier:
        return (
            "The log does not show what came before it. If it comes at once at every start, the firmware in "
            "flash may be damaged or mixed; if the firmware runs for a while, its program has an error."
        )
    return (
        "An error of the program is likelier than one of the flash, as it has run so far. If it comes at "
        "other places each time: overwritten memory, a full stack, or a weak supply."
    )


def _cures(boot: Boot, crash: Crash, *, early: bool) -> tuple[Cure, ...]:
    named = NAME_FUNCTIONS if crash.pc is not None or crash.stack else _WHOLE
    if early and not boot.has("eboot-load"):
        return (whole_files(boot), _AGAIN, _OTHER_MODE, named)
    return (
        named,
        cure("If it began with the last writing: see whether the flash holds the file.", VERIFY),
    )


def _notes(boot: Boot, crash: Crash) -> list[Remark]:
    notes = []
    allocation = crash.allocation
    if allocation is not None:
        place = f", asked for in {allocation.place}" if allocation.place else ""
        notes.append(
            Remark(f"The last request for memory that failed was for {allocation.size:,} bytes{place}.")
        )
    if crash.context == "sys":
        notes.append(Remark("ctx: sys: it happened in the SDK or in a callback from it, not in loop()."))
    if crash.context == "bearssl":
        notes.append(
            Remark("ctx: bearssl: it happened in an encrypted connection, which has a stack of its own.")
        )
    if boot.crash_count > 1 and not crash.earlier:
        notes.append(
            Remark(
                f"The firmware tells of {boot.crash_count} crashes before it restarts; the first one counts."
            )
        )
    return notes


def watchdog(boot: Boot) -> LogOutcome | None:
    """A watchdog ended the run, by the firmware's own words."""
    crash = _first(boot, "soft-wdt", "task-wdt", "hardware-wdt")
    if crash is None:
        return None
    if crash.kind == "hardware-wdt":
        return hardware_watchdog(boot, when(crash))
    if crash.kind == "task-wdt":
        return LogOutcome(
            Verdict.WATCHDOG,
            f"The task watchdog ended the run{when(crash)}.",
            "A task of the RTOS ran for so long that no other one, or not the idle task, got its turn: a "
            "loop that waits for something, or one without vTaskDelay().",
            (NAME_FUNCTIONS, cure("Let long work wait now and then: vTaskDelay(1).")),
        )
    pc = "" if crash.pc is None else f" It was at 0x{crash.pc:08x}, {place_of(crash.pc)}."
    return LogOutcome(
        Verdict.WATCHDOG,
        f"The software watchdog ended the run{when(crash)}: the program did not give the SDK its turn.",
        "It comes after some seconds in which the program does not return to the SDK: a loop that waits "
        f"for something, or long work without a pause.{pc} The stack shows the functions that were at "
        "work.",
        (
            NAME_FUNCTIONS if crash.stack or crash.pc is not None else _WHOLE,
            cure(
                "Give the SDK its turn: delay() or yield() in long loops (Arduino), tmr or node.task "
                "(NodeMCU)."
            ),
        ),
        tuple(_notes(boot, crash)),
    )


def hardware_watchdog(boot: Boot, how: str = "") -> LogOutcome:
    """The hardware watchdog ended a run of the firmware that this boot is of."""
    return LogOutcome(
        Verdict.WATCHDOG,
        f"The hardware watchdog ended the run{how or ' before'}: the firmware hung.",
        "It comes after some seconds in which nothing of the SDK runs at all, and leaves no dump. The "
        "likeliest first: a loop with interrupts off or in an interrupt handler; a crash so early that "
        "nothing could print it; damaged code in flash; a weak supply. If it comes right after the loading "
        "each time, the flash is likelier than the program.",
        (
            cure("Read what the firmware prints before it hangs.", RECORD_FIRMWARE),
            whole_files(boot),
            _AGAIN,
        ),
    )
