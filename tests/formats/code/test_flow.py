"""Functions of lx106 code: what belongs to one, and where the values in it come from."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from imgtool.formats.code.flow import ENTRY, Function, Origin, Slot, function_around
from tests.formats.code.listings import ENTER, ENTER_LARGE, ENTER_LEAF, LEAVE, PIECES, assembled, function

needs_binutils = pytest.mark.skipif(
    shutil.which("xtensa-lx106-elf-as") is None, reason="xtensa-lx106-elf-as is not installed"
)
TAKEN = "ed0d   mov.n a14, a13"
"""What takes a value out of a13; a 16-bit instruction that no other listing has."""


def origins(*listings: str, register: int = 13) -> frozenset[Origin]:
    """Where a13 comes from at the end of a function that begins at 0."""
    code = assembled(ENTER, *listings, TAKEN, LEAVE)
    return Function(code, 0).origins(register, len(assembled(ENTER, *listings)))


# A listing, and where a13 then comes from.
VALUES: list[tuple[str, set[Origin]]] = [
    ("30d0f4 extui a13, a3, 0, 16", {Origin(ENTRY, 3)}),
    ("30d034 extui a13, a3, 0, 4", {Origin(6, 13)}),
    ("dd03   mov.n a13, a3", {Origin(ENTRY, 3)}),
    ("30d320 or a13, a3, a3", {Origin(ENTRY, 3)}),
    ("40d320 or a13, a3, a4", {Origin(6, 13)}),
    ("0c1d   movi.n a13, 1", {Origin(6, 13)}),
    ("d0d311 slli a13, a3, 3", {Origin(6, 13)}),
    ("d911   s32i.n a13, a1, 4", {Origin(ENTRY, 13)}),
    ("001340 ssl a3", {Origin(ENTRY, 13)}),
    ("c00d00 callx0 a13", {Origin(ENTRY, 13)}),
    ("661d02 bnei a13, 1, . + 6", {Origin(ENTRY, 13)}),
    ("40d383 moveqz a13, a3, a4", {Origin(ENTRY, 3), Origin(ENTRY, 13)}),
    ("d911   s32i.n a13, a1, 4\nd21102 l16ui a13, a1, 4", {Origin(ENTRY, 13)}),
    ("3911   s32i.n a3, a1, 4\nd811   l32i.n a13, a1, 4", {Origin(ENTRY, 3)}),
    ("d21103 l16ui a13, a1, 6", {Origin(6, 13)}),
    ("d813   l32i.n a13, a3, 4", {Origin(6, 13)}),
]
CALL = "c00000 callx0 a0"
SKIP = "660301 bnei a3, -1, . + 5\n3c0d   movi.n a13, 48"
LOOP = "0c0d   movi.n a13, 0\n1bdd   addi.n a13, a13, 1\n668dfa bnei a13, 8, . - 2"
OVER_PADDING = "860000 j . + 6"
STORES = "d911   s32i.n a13, a1, 4\nd913   s32i.n a13, a3, 4"
NOTHING = "3df0   nop.n"


@pytest.mark.parametrize(("listing", "expected"), VALUES)
def test_where_a_value_comes_from(listing: str, expected: set[Origin]) -> None:
    assert origins(listing) == expected


def test_a_call_leaves_some_registers_alone() -> None:
    assert origins(CALL, register=12) == {Origin(ENTRY, 12)}
    assert origins(CALL, register=2) == {Origin(6, 2)}
    assert origins(CALL, register=11) == {Origin(6, 11)}
    assert origins(CALL, register=1) == {Origin(0, 1)}


def test_both_ways_of_a_branch_and_around_a_loop() -> None:
    assert origins(SKIP) == {Origin(ENTRY, 13), Origin(9, 13)}
    assert origins(LOOP) == {Origin(8, 13)}
    assert Function(assembled(ENTER, LOOP, LEAVE), 0).sources(13, 8) == {6, 8}


def test_padding_is_no_code() -> None:
    code = assembled(ENTER, OVER_PADDING) + b"\xff" * 3 + assembled(LEAVE)

    assert sorted(Function(code, 0).at) == [0, 3, 6, 12, 15, 18]


def test_a_place_in_the_frame() -> None:
    made = Function(assembled(ENTER, STORES, LEAVE), 0)

    assert made.slot_of(6) == Slot(4)
    assert made.slot_of(8) is None
    assert made.slot_of(0) is None


@pytest.mark.parametrize(("enter", "found"), [(ENTER, True), (ENTER_LARGE, True), (ENTER_LEAF, False)])
def test_a_function_is_found_by_its_frame(enter: str, *, found: bool) -> None:
    before = function(NOTHING)
    code = before + function(TAKEN, enter=enter)
    around = function_around(code, len(before) + len(assembled(enter)))

    assert (around is not None) == found
    assert around is None or around.entry == len(before)


def test_what_is_in_no_function_is_in_none() -> None:
    code = function(NOTHING)

    assert function_around(code, 7) is None  # inside of an instruction
    assert function_around(code + assembled(TAKEN), len(code)) is None  # behind the return
    assert function_around(code[:2], 0) is None


def run(tool: str, *options: str) -> str:
    command = [f"xtensa-lx106-elf-{tool}", *options]
    return subprocess.run(command, capture_output=True, check=True, encoding="ascii").stdout


@needs_binutils
def test_the_listings_are_what_gnu_as_makes(tmp_path: Path) -> None:
    own = (TAKEN, CALL, SKIP, LOOP, OVER_PADDING, STORES, NOTHING, *(listing for listing, _ in VALUES))
    lines = [line.split(maxsplit=1) for piece in (*PIECES, *own) for line in piece.strip().splitlines()]
    source = tmp_path / "listing.s"
    text = "\n".join(assembly for _, assembly in lines)
    source.write_text(f".begin no-transform\n{text}\n.end no-transform\n.space 64\n", encoding="ascii")
    made = tmp_path / "listing.o"
    run("as", "-o", str(made), str(source))
    rows = re.findall(r"^\s+[0-9a-f]+:\s+([0-9a-f]+)\s", run("objdump", "-d", str(made)), re.MULTILINE)

    assert [bytes.fromhex(row)[::-1].hex() for row in rows[: len(lines)]] == [code for code, _ in lines]
