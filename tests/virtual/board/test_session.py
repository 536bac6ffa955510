"""How a run of firmware ends, with programs of a few instructions in place of the boot ROM."""

from __future__ import annotations

import pytest

from imgtool.virtual.board.firmware_chip import FirmwareChip
from imgtool.virtual.board.session import Ending, FirmwareRun, run_firmware
from imgtool.virtual.chip.machine import Setup
from tests.virtual.board.boards import RESET, rom_of

# The alphabet through UART0, without end.
ALPHABET = "22a06080220152a06148724040755674ff59021b5562a07b6795ed52a061c6f9ff"
# The same with each letter 32 times: 832 bytes until it begins again.
SLOWLY = "22a06080220152a06172a00048724040755674ff59021b7770604456d6fe1b5562a07b6795e552a061c6f7ff"
WAITS = "007f00 46feff"


def ended(code: str, seconds: float = 20.0) -> FirmwareRun:
    return run_firmware(FirmwareChip(Setup(), rom_of({RESET: code})), seconds)


def test_one_phrase_over_and_over_is_an_end() -> None:
    done = ended(ALPHABET)
    assert done.ending is Ending.REPEATS
    assert done.seconds < 10
    assert done.log.startswith(b"abcdefghijklmnopqrstuvwxyzabc")


def test_what_takes_long_to_begin_again_is_no_phrase() -> None:
    assert ended(SLOWLY, 3.0).ending is Ending.TIME


@pytest.mark.parametrize("seconds", [0.1, 1.0])
def test_the_time_is_up(seconds: float) -> None:
    done = ended(SLOWLY, seconds)
    assert done.ending is Ending.TIME
    assert done.seconds == pytest.approx(seconds, abs=0.06)


def test_a_processor_that_waits_for_nothing_has_stopped() -> None:
    done = ended(WAITS)
    assert (done.ending, done.log, done.boots) == (Ending.STOPPED, b"", 0)
