"""Stacks and registers with names, and programs that cannot be the one that crashed."""

from __future__ import annotations

from typing import Final

import pytest

from fixtures.elves import ALLOC, EXEC, Elf, Section
from imgtool.formats.elf.symbols import ElfSymbols
from imgtool.operations.explain.log import explain
from imgtool.operations.watching.stream import Watch, WatchNote
from tests.formats.elf.test_symbols import table
from tests.operations.explain.boot_log_cases import CASES, RTOS
from tests.support import IMAGES

CODE: Final = 0x4020_1000
CALL: Final = b"\x05\x00\x00"
PROGRAM: Final = Elf(
    (
        Section(".irom0.text", CODE, (CALL + b"\x3d\xf0\x00") * 0x200, flags=ALLOC | EXEC),
        *table(
            ("setup", CODE, 0x100, 2),
            ("_ZN6Sensor4readEv", CODE + 0x100, 0x100, 2),
            ("loop", CODE + 0x200, 0x100, 2),
        ),
    )
).build()
SYMBOLS: Final = ElfSymbols.parse(PROGRAM)


def dump(epc1: int, *words: int) -> str:
    rows = [words[at : at + 4] for at in range(0, len(words), 4)]
    stack = "".join(
        f"{0x3FFFFE00 + 16 * at:08x}:  {' '.join(f'{word:08x}' for word in row)}  \r\n"
        for at, row in enumerate(rows)
    )
    return (
        f"Exception (28):\r\nepc1=0x{epc1:08x} epc2=0x00000000 epc3=0x00000000 excvaddr=0x00000008 "
        f"depc=0x00000000\r\n"
        f"\r\n>>>stack>>>\r\n\r\nctx: cont\r\nsp: 3ffffdb0 end: 3fffffc0 offset: "
        f"0190\r\n{stack}<<<stack<<<\r\n"
    )


def test_stack_in_its_order_with_names() -> None:
    behind = next(at for at in range(CODE + 0x100, CODE + 0x200) if SYMBOLS.is_behind_call(at))
    result = explain(dump(CODE + 0x108, 0x3FFE8000, behind, CODE + 0x204, 0x4000_050C), [SYMBOLS])

    assert [(f.source, f.address, f.function, f.offset, f.called) for f in result.frames] == [
        ("epc1", CODE + 0x108, "Sensor::read", 8, SYMBOLS.is_behind_call(CODE + 0x108)),
        ("stack", behind, "Sensor::read", behind - CODE - 0x100, True),
        ("stack", CODE + 0x204, "loop", 4, SYMBOLS.is_behind_call(CODE + 0x204)),
        ("stack", 0x4000_050C, None, None, None),
    ]
    assert "in Sensor::read" in result.sentence
    assert not any("--elf" in command for cure in result.cures for command in cure.commands)


def test_addresses_without_a_program() -> None:
    result = explain(dump(CODE + 0x108, 0x3FFE8000, CODE, 0xFEEFEFFE, 0x4010_0004))

    assert [(frame.address, frame.place, frame.function) for frame in result.frames] == [
        (CODE + 0x108, "flash (irom)", None),
        (CODE, "flash (irom)", None),
        (0x4010_0004, "RAM for code (IRAM)", None),
    ]
    assert any("--elf" in command for cure in result.cures for command in cure.commands)


@pytest.mark.parametrize(
    ("epc1", "words", "why"),
    [
        (0x4024_0000, (), "no code at 0x40240000"),
        (CODE + 8, (0x4024_0000,) * 4, "only 0 of 4"),
        (CODE + 8, (CODE + 1,) * 8, "behind a call"),
    ],
)
def test_another_program_is_refused(epc1: int, words: tuple[int, ...], why: str) -> None:
    assert not SYMBOLS.is_behind_call(CODE + 1)
    result = explain(dump(epc1, *words), [SYMBOLS])

    assert why in result.notes[0]
    assert all(frame.function is None for frame in result.frames)


def test_two_programs_name_what_is_theirs() -> None:
    other = Elf(
        (Section(".text", 0x4010_0000, CALL * 8, flags=ALLOC | EXEC), *table(("in_ram", 0x4010_0000, 24, 2)))
    ).build()
    result = explain(dump(0x4010_0003, CODE + 3), [SYMBOLS, ElfSymbols.parse(other)])

    assert [frame.function for frame in result.frames] == ["in_ram", "setup"]


def test_backtrace_of_the_rtos_sdk() -> None:
    frames = explain(RTOS).frames

    assert [(frame.source, frame.address) for frame in frames] == [
        ("pc", 0x4010_13B4),
        ("a0", 0x4022_7A43),
        ("backtrace", 0x4010_13B4),
        ("backtrace", 0x4022_7A43),
        ("backtrace", 0x4024_9225),
    ]


def test_a_program_for_a_log_without_a_crash() -> None:
    assert "not needed" in explain("rst cause:2, boot mode:(1,7)", [SYMBOLS]).notes[-1]


def test_a_hang_counts_no_boots_that_ran() -> None:
    notes = explain(next(case.log for case in CASES if case.name == "hardware watchdog")).notes

    assert not any("end so" in note or "started" in note for note in notes)


def test_registers() -> None:
    crash = explain(dump(CODE + 8, 1, 2, 3, 4)).crash

    assert crash is not None
    assert (crash.exception, crash.pc, crash.accessed, crash.context) == (28, CODE + 8, 8, "cont")
    assert [tuple(word) for word in crash.stack] == [(0x3FFFFE00 + 4 * at, at + 1) for at in range(4)]


def test_the_monitor_names_functions_as_soon_as_the_dump_has_come() -> None:
    watch = Watch(115_200, symbols=[SYMBOLS])
    watch.feed(dump(CODE + 0x108, 0x3FFE8000, CODE + 0x204, 0x4000_050C, 1).encode(), 1)
    (note,) = [event for event in watch.pause(2) if isinstance(event, WatchNote)]

    assert "load prohibited (exception 28)" in note.text
    assert "in Sensor::read" in note.text
    assert next((frame.source, frame.function) for frame in note.frames) == ("epc1", "Sensor::read")
    assert note.cure is not None
    assert not any("--elf" in command for command in note.cure.commands)


def test_the_monitor_refuses_the_program_of_another_firmware() -> None:
    watch = Watch(115_200, symbols=[SYMBOLS])
    watch.feed(dump(0x4024_0000, 0x3FFE8000, 1, 2, 3).encode(), 1)
    failure, refusal = (event for event in watch.pause(2) if isinstance(event, WatchNote))

    assert failure.frames == ()
    assert refusal.kind == "elf"
    assert "no code at 0x40240000" in refusal.text


def test_a_stripped_program_is_told() -> None:
    symbols = ElfSymbols.parse(IMAGES["elf/app.elf"])
    log = ">>>stack>>>\nctx: cont\n3ffffdb0:  40210234 3fff0000 40100010 00000000\n<<<stack<<<\n"

    assert not symbols.functions
    assert any("stripped" in note for note in explain(log, [symbols]).notes)
    assert not any("stripped" in note for note in explain(log).notes)
