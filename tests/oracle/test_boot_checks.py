"""The boot check of ``flash`` on real firmware, which runs its own code under the chip's boot ROM.

Whole firmware and broken variants of it.  What the radio would have to answer is not modelled: MicroPython
and ESPHome wait for it, and do not come to what shows that they run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from imgtool.device.session import ConnectOptions
from imgtool.engine.inputs import InputFile
from imgtool.engine.jobs.boot_check import STAGE
from imgtool.engine.jobs.flash import FlashRequest, FlashResult, flash
from imgtool.engine.jobs.patch import PatchRequest, patch
from imgtool.engine.ports import open_wire
from imgtool.operations.explain.values import Verdict
from imgtool.operations.patch.table import TableChange
from tests.support import BOOT_ROM, IMAGES, real

if TYPE_CHECKING:
    from imgtool.device.events import Event
    from imgtool.device.wire import Wire

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not BOOT_ROM, reason="IMGTOOL_BOOT_ROM names no dump of the boot ROM"),
]

WITHOUT_STUB: Final = ConnectOptions(stub="none")
ALL: Final = frozenset(("chip", "damaged", "fit", "mode", "place", "sector", "size"))
AT = {0: "at/at-sdk2.0-noboot-eagle.flash.bin", 0x1_0000: "at/at-sdk2.0-noboot-eagle.irom0text.bin"}
DEMO = {0: "sdkapps/esptool-iotdemo-0x00000.bin", 0x1_0000: "sdkapps/esptool-iotdemo-0x10000.bin"}
NODEMCU_0_9 = {0: "nodemcu/nodemcu_integer_0.9.5_20150318.bin"}
NODEMCU_2 = {0: "nodemcu/yuan-nodemcu_integer.bin"}
NODEMCU_3 = {0: "nodemcu/heikomat-firmware-lfs.bin"}
PYTHON = {0: "micropython/firmware-combined-2017.bin"}
ESPHOME = {0: "esphome/webtools-esp8266-2021.bin"}
WLED = {0: "wled/WLED_0.14.3_ESP8266_160.bin"}


@dataclass
class Starts:
    """Hears when the boot check begins; ends the waiting at a second.

    Attributes:
        wire: The port, which has the time.
        stop: The second.
        began: When it began, s.
    """

    wire: Wire
    stop: int = 1000
    began: float | None = None

    def __call__(self, event: Event) -> None:
        if event.stage == STAGE:
            self.began = self.wire.clock.monotonic() if self.began is None else self.began
            if event.done >= self.stop:
                raise KeyboardInterrupt

    @property
    def seconds(self) -> float:
        """How long the boot check took."""
        assert self.began is not None
        return self.wire.clock.monotonic() - self.began


def board(size: str = "4MB") -> Wire:
    return open_wire(f"sim:{size},run,rom={BOOT_ROM}")


def files(names: dict[int, str]) -> tuple[InputFile, ...]:
    return tuple(InputFile(name.rpartition("/")[2], real(name), at) for at, name in names.items())


def started(
    wire: Wire, what: tuple[InputFile, ...], stop: int = 1000, *, size: str = "detect"
) -> tuple[FlashResult, float]:
    starts = Starts(wire, stop)
    result = flash(wire, FlashRequest(files=what, size=size, force=ALL, connect=WITHOUT_STUB), starts)
    return result, starts.seconds


@pytest.mark.parametrize(
    ("names", "least", "most"),
    [
        (NODEMCU_0_9, 0.3, 2),
        (NODEMCU_2, 35, 50),
        (NODEMCU_3, 35, 50),
        (AT, 0.3, 2),
        (WLED, 0.5, 2),
        (DEMO, 0.3, 2),
    ],
    ids=["NodeMCU 0.9.5", "NodeMCU 2.1", "NodeMCU 3.0", "AT 1.3", "WLED 0.14", "IoT demo"],
)
def test_a_first_start_that_goes_well(names: dict[int, str], least: float, most: float) -> None:
    result, seconds = started(board(), files(names))

    assert result.boot is not None
    assert (result.boot.verdict, result.boot_note, result.code) == (Verdict.RUNS, "", 0)
    assert least < seconds < most


@pytest.mark.parametrize("names", [NODEMCU_2, NODEMCU_3], ids=["NodeMCU 2.1", "NodeMCU 3.0"])
def test_a_second_start_is_short(names: dict[int, str]) -> None:
    wire = board()
    started(wire, files(names))
    result, seconds = started(wire, files(names))

    assert result.boot is not None
    assert (result.boot.verdict, result.code) == (Verdict.RUNS, 0)
    assert seconds < 2


def test_an_lfs_of_the_same_build_is_no_obstacle() -> None:
    result, _ = started(
        board(), (*with_lfs(), InputFile("lfs.img", real("nodemcu/heikomat-lfs.img"), "@lfs"))
    )

    assert result.boot is not None
    assert result.boot.verdict is Verdict.RUNS


@pytest.mark.parametrize("names", [PYTHON, ESPHOME], ids=["MicroPython 1.9", "ESPHome 2021"])
def test_what_waits_for_its_radio_has_begun_and_is_waited_for(names: dict[int, str]) -> None:
    result, seconds = started(board(), files(names), stop=8)

    assert result.boot is not None
    assert (result.boot.verdict, result.code) == (Verdict.UNFINISHED, 0)
    assert seconds >= 8
    assert "ended by hand" in result.boot_note


# Broken ones.


@pytest.mark.parametrize(
    ("names", "verdict"),
    [
        ({0: "nodemcu/yuan-0x00000.bin"}, Verdict.EXCEPTION),
        ({0: AT[0]}, Verdict.EXCEPTION),
    ],
    ids=["NodeMCU 2.1", "AT 1.3"],
)
def test_without_irom(names: dict[int, str], verdict: Verdict) -> None:
    result, seconds = started(board(), files(names))

    assert result.boot is not None
    assert (result.boot.verdict, result.code) == (verdict, 1)
    assert seconds < 5


@pytest.mark.parametrize(
    ("size", "verdict"),
    [("512KB", Verdict.TOO_SMALL_FLASH), ("4MB", Verdict.BAD_IMAGE)],
    ids=["less than it needs", "more than the chip has: it erases itself"],
)
def test_a_wrong_flash_size_in_the_header(size: str, verdict: Verdict) -> None:
    result, _ = started(board("1MB"), files(NODEMCU_3), size=size)

    assert result.boot is not None
    assert (result.boot.verdict, result.code) == (verdict, 1)


def with_lfs() -> tuple[InputFile, ...]:
    """NodeMCU 3.0 with a partition for LFS, which its builder has left out."""
    made = patch(
        PatchRequest(file=files(NODEMCU_3)[0], output="nodemcu.bin", table=TableChange(lfs_size=0x2_0000))
    )
    return (InputFile("nodemcu.bin", made.outputs[0].data, 0),)


def test_an_lfs_of_another_build_is_a_loop() -> None:
    lfs = InputFile("lfs.raw", IMAGES["lfs/lfs-5.1.raw"], "@lfs")
    result, seconds = started(board(), (*with_lfs(), lfs))

    assert result.boot is not None
    assert (result.boot.verdict, result.code) == (Verdict.BOOT_LOOP, 1)
    assert seconds < 5
