"""By which formula code computes SPIFFS magics: made functions, good and bad neighbours, and real images."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.formats.code.spiffs_formula import magic_formula
from imgtool.formats.firmware import identify_firmware
from tests.formats.code.listings import (
    ENTER_LARGE,
    ENTER_LEAF,
    LINE_NUMBER,
    MAGIC,
    MAGIC_FIRST,
    NO_XOR,
    SUBTRAHENDS,
    function,
)
from tests.support import real

LINEAR = ("argument", "loaded", "spilled", "counted", "counted by register")
OLD = ("old", "old hoisted", "old from 3")


def computing(name: str, magic: str = MAGIC) -> bytes:
    return function(SUBTRAHENDS[name], magic)


@pytest.mark.parametrize("name", LINEAR)
def test_linear(name: str) -> None:
    assert magic_formula(computing(name) + computing("argument")) == "linear"


@pytest.mark.parametrize("name", OLD)
def test_old(name: str) -> None:
    assert magic_formula(computing(name) + computing("old")) == "old"


@pytest.mark.parametrize("known", ["argument", "old"])
@pytest.mark.parametrize("name", [name for name in SUBTRAHENDS if name not in (*LINEAR, *OLD)])
def test_what_is_not_clear_tells_nothing(name: str, known: str) -> None:
    assert magic_formula(computing(name) * 2) is None
    assert magic_formula(computing(known) * 2 + computing(name)) is None


def test_both_formulas_tell_nothing() -> None:
    assert magic_formula(computing("argument") + computing("old")) is None
    assert magic_formula(computing("old") * 2 + computing("argument")) is None


@pytest.mark.parametrize("name", ["argument", "old"])
def test_one_expression_is_too_few(name: str) -> None:
    assert magic_formula(computing(name)) is None
    assert magic_formula(computing(name) + function(SUBTRAHENDS[name], NO_XOR)) is None


@pytest.mark.parametrize(("name", "formula"), [("argument", "linear"), ("old", "old")])
def test_other_orders_and_frames(name: str, formula: str) -> None:
    large = function(SUBTRAHENDS[name], MAGIC, enter=ENTER_LARGE)

    assert magic_formula(computing(name, MAGIC_FIRST) * 2) == formula
    assert magic_formula(large + computing(name)) == formula
    assert magic_formula(function(SUBTRAHENDS[name], MAGIC, SUBTRAHENDS[name], MAGIC)) == formula


@pytest.mark.parametrize("name", ["argument", "old"])
def test_code_without_a_known_beginning_is_none(name: str) -> None:
    leaf = function(SUBTRAHENDS[name], MAGIC, enter=ENTER_LEAF)

    assert magic_formula(leaf * 2) is None  # it keeps no return address
    assert magic_formula(computing(name)[3:] * 2) is None
    assert magic_formula(b"\0" + computing(name) * 2) is None  # functions begin at a multiple of 4


def test_another_constant() -> None:
    other = MAGIC.replace("52a529", "52a528")

    assert magic_formula(computing("old", other) * 2) is None


@pytest.mark.parametrize(("name", "formula"), [("counted", "linear"), ("old", "old")])
def test_what_stands_around(name: str, formula: str) -> None:
    code = computing(name) * 2
    noise = Random(1).randbytes(0x3000)

    assert magic_formula(noise + function(LINE_NUMBER) + code + noise) == formula
    assert magic_formula(code + b"\xff" * 0x5000 + computing("counted") * 2) == formula
    assert magic_formula(code + b"\xff" * 0x5000 + computing("old") * 2) == formula


def test_nothing() -> None:
    assert magic_formula(b"") is None
    assert magic_formula(b"\xa5\x29" * 100) is None
    assert magic_formula(b"\x52\xa5\x29" * 0x10000) is None
    assert magic_formula(function(LINE_NUMBER)) is None


@given(st.data())
def test_damaged_code_is_told_the_same_or_not_at_all(data: st.DataObject) -> None:
    name, formula = data.draw(st.sampled_from([("argument", "linear"), ("old", "old")]))
    code = bytearray(computing(name) * 3)
    code[data.draw(st.integers(0, len(code) - 1))] = data.draw(st.integers(0, 255))

    assert magic_formula(bytes(code)) in (formula, None)


@given(st.binary(max_size=200), st.integers(0, 40))
def test_any_bytes(data: bytes, place: int) -> None:
    code = bytearray(computing("old") * 2)
    code[place : place + len(data)] = data

    assert magic_formula(bytes(code)) in ("linear", "old", None)


# Real images: the first was run, and formats with the old magics.
REAL = {
    "nodemcu/yuan-nodemcu_integer.bin": "old",
    "nodemcu/yuan-0x10000.bin": "old",
    "nodemcu/yuan-0x00000.bin": None,
    "nodemcu/heikomat-firmware-lfs.bin": "linear",
    "nodemcu/nodemcu_integer_0.9.5_20150318.bin": None,
}


@pytest.mark.parametrize(("name", "formula"), REAL.items())
def test_real_images(name: str, formula: str | None) -> None:
    assert magic_formula(real(name)) == formula


def test_no_other_firmware_tells_a_formula(corpus: Path) -> None:
    told = {}
    for path in sorted(corpus.rglob("*.bin")):
        data = path.read_bytes()
        firmware = identify_firmware(data)
        if (firmware is None or firmware.name != "NodeMCU") and magic_formula(data) is not None:
            told[path.name] = magic_formula(data)

    assert told == {}
