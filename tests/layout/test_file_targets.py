"""The file system that a firmware takes, where only its code tells by which formula its magics are."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from imgtool.chip import flash_size
from imgtool.errors import LayoutError
from imgtool.formats.filesystems.spiffs_make import SpiffsShape
from imgtool.formats.firmware import identify_firmware
from imgtool.formats.reading import Firmware
from imgtool.layout.file_targets import target_for
from imgtool.layout.fit import layout_for
from tests.support import real

UNBRANDED: Final = Firmware("NodeMCU", "2.1.0", build="20181116")


def formula_for(firmware: Firmware) -> str:
    target = target_for(layout_for(flash_size("4MB"), firmware, None, 0), firmware, 0x69170)
    assert isinstance(target.shape, SpiffsShape)
    assert (target.start, target.shape.block_size, target.shape.blocks) == (0x80000, 0x2000, 445)
    return target.shape.formula


@pytest.mark.parametrize("formula", ["old", "linear"])
@pytest.mark.parametrize("version", ["1.5.4.1", "2.1.0"])
def test_the_code_tells_the_formula(version: str, formula: str) -> None:
    assert formula_for(replace(UNBRANDED, version=version, spiffs_formula=formula)) == formula


@pytest.mark.parametrize("version", ["1.5.4.1", "2.1.0"])
def test_where_nothing_tells_it_is_refused(version: str) -> None:
    with pytest.raises(LayoutError, match="some builds of NodeMCU"):
        formula_for(replace(UNBRANDED, version=version))


def test_a_real_build_of_2018_takes_what_it_makes() -> None:
    # Run on the virtual board it makes 445 blocks there: tests/oracle/test_firmware_layouts.py.
    firmware = identify_firmware(real("nodemcu/yuan-nodemcu_integer.bin"))

    assert firmware is not None
    assert formula_for(firmware) == "old"
