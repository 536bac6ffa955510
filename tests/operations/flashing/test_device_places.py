"""Init data alone: where the firmware on a device has its place, what it needs, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgtool.chip import FLASH_SIZES, SECTOR
from imgtool.errors import BringsOwnError, LayoutError, NoFirmwareError, StatedSizeError
from imgtool.operations.assemble.extras import InitDataSource
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.flashing.draft import PlanRequest, Target
from imgtool.operations.flashing.plan import FlashPlan, plan_flash
from tests.strategies import NO_SHRINKING
from tests.support import IMAGES, aggregate, codes, over

if TYPE_CHECKING:
    from collections.abc import Callable

KILO: Final = 1024
MEGA: Final = 1024 * KILO
V05: Final = IMAGES["init-data/v05.bin"]
V08: Final = IMAGES["init-data/v08.bin"]
DUMP_2_2: Final = IMAGES["dumps/nodemcu-2.2-4m.bin"]
USED_3: Final = IMAGES["dumps/nodemcu-3-used-4m.bin"]
ARDUINO: Final = IMAGES["dumps/arduino-4m.bin"]
SDK_3: Final = IMAGES["generations/espressif-sdk-3.bin"]
CODES: Final = {size.name: size.code for size in FLASH_SIZES}


def nodemcu_2(size: str, capacity: int, *writes: tuple[int, bytes]) -> bytes:
    """A flash with NodeMCU 2.2 that states a size."""
    image = aggregate("sample")
    stated = bytes([CODES[size] << 4 | image[3] & 0xF])
    return over(b"\xff" * capacity, [(0, image), (3, stated), *writes])


def of_2_0(size: str) -> bytes:
    """A flash of 8 MB with NodeMCU 2.0, which knows five sizes, and states any."""
    old = IMAGES["generations/nodemcu-2.0.bin"]
    return over(b"\xff" * 8 * MEGA, [(0, old), (3, bytes([CODES[size] << 4 | old[3] & 0xF]))])


def alone(flash: bytes, choice: str = "v05", reads: list[int] | None = None, **more: str) -> FlashPlan:
    """The plan for init data alone, on a device with that flash."""

    def read(address: int, size: int) -> bytes:
        if reads is not None:
            reads.append(size)
        return flash[address : address + size]

    target = Target("ESP8266EX", False, "5c:cf:7f:00:00:01", bytes.fromhex("ef4016"), len(flash))
    return plan_flash(PlanRequest(init_data=InitDataSource(choice, None, more)), target, read)


def onto(flash: bytes, plan: FlashPlan) -> bytes:
    return over(flash, [(piece.address, piece.data) for piece in plan.pieces])


PLACES: Final = {
    "1 MB": (nodemcu_2("1MB", MEGA), 0xFC000),
    "1 MB stated on 4 MB": (nodemcu_2("1MB", 4 * MEGA), 0xFC000),
    "4 MB": (nodemcu_2("4MB", 4 * MEGA), 0x3FC000),
    "4 MB with two slots": (nodemcu_2("4MB-c1", 4 * MEGA), 0x3FC000),
    "used": (DUMP_2_2, 0x3FC000),
    "NodeMCU 3, used": (USED_3, 0xF000),
    "NodeMCU 3 of 2019": (IMAGES["generations/nodemcu-3-first.bin"], 0xC000),
    "NodeMCU 3 of today": (IMAGES["generations/nodemcu-3-current.bin"], 0xF000),
    "MicroPython": (IMAGES["dumps/micropython-1m.bin"], 0xFC000),
    "AT": (IMAGES["dumps/at-512k.bin"], 0x7C000),
    "rBoot": (IMAGES["dumps/rboot-1m.bin"], 0xFC000),
    "NodeMCU 2.0": (of_2_0("4MB"), 0x3FC000),
    "SDK 3": (SDK_3, 0xFC000),
}


@pytest.mark.parametrize("choice", ["v05", "default"])
@pytest.mark.parametrize(("flash", "place"), PLACES.values(), ids=PLACES)
def test_it_goes_where_the_firmware_on_the_device_looks(flash: bytes, place: int, choice: str) -> None:
    after = onto(flash, alone(flash, choice))

    assert after[place : place + 128] == V05
    # Nothing but that and the calibration that was made with other init data.
    changed = {
        at for at in range(0, len(flash), SECTOR) if flash[at : at + SECTOR] != after[at : at + SECTOR]
    }
    assert changed <= {place, place - SECTOR, place - 2 * SECTOR}
    for at in changed - {place}:
        assert after[at : at + SECTOR] == b"\xff" * SECTOR


def test_a_set_and_fields_by_choice() -> None:
    v08, field = alone(DUMP_2_2, "v08"), alone(DUMP_2_2, "default", vdd33_const="33")

    assert onto(DUMP_2_2, v08)[0x3FC000:0x3FC080] == V08
    assert onto(DUMP_2_2, field)[0x3FC000:0x3FC080] == over(V05, [(107, b"\x21")])


def test_the_rest_of_its_sector_is_blank_as_behind_every_file() -> None:
    flash = over(DUMP_2_2, [(0x3FC800, b"of old")])

    assert onto(flash, alone(flash))[0x3FC080:0x3FD000].strip(b"\xff") == b""


def test_what_the_default_is_is_said() -> None:
    assert "init data default is v05: NodeMCU 2.2 is on the device" in alone(DUMP_2_2, "default").changes
    assert "init data default is v05: NodeMCU 3 is on the device" in alone(USED_3, "default").changes


def test_a_set_by_its_name_needs_no_look_at_the_firmware() -> None:
    by_name: list[int] = []
    default: list[int] = []
    alone(DUMP_2_2, "v05", by_name)
    alone(DUMP_2_2, "default", default)

    assert sum(by_name) < 4 * SECTOR
    assert sum(default) > len(aggregate("sample")) // 2


REFUSED: Final = {
    "erased": (b"\xff" * MEGA, NoFirmwareError),
    "no image at 0": (IMAGES["dumps/wiped-1m.bin"], NoFirmwareError),
    "4 MB stated on 1 MB": (IMAGES["dumps/cut-4m-header.bin"], StatedSizeError),
    "size without a meaning": (over(DUMP_2_2, [(3, b"\x70")]), StatedSizeError),
    "NodeMCU 3, 8 MB stated on 4 MB": (over(USED_3, [(3, b"\x80")]), StatedSizeError),
    "8 MB that NodeMCU 2.0 cannot use": (of_2_0("8MB"), StatedSizeError),
    "slots that NodeMCU 2.0 cannot use": (of_2_0("2MB-c1"), StatedSizeError),
    "Arduino": (ARDUINO, BringsOwnError),
    "Arduino with SDK 3": (IMAGES["generations/arduino-sdk-3.bin"], BringsOwnError),
    # The page of a NodeMCU that is left behind a small sketch, and is nobody's any more.
    "Arduino and an old page": (over(ARDUINO, [(0x10000, USED_3[0x10000:0x11000])]), BringsOwnError),
    "RTOS SDK": (IMAGES["dumps/rtos3-1m.bin"], BringsOwnError),
    "RTOS SDK 3": (IMAGES["generations/rtos-3.bin"], BringsOwnError),
    "256 KB": (nodemcu_2("256KB", MEGA), LayoutError),
    "other data there": (nodemcu_2("1MB", MEGA, (0xFC000, b"something else" * 20)), LayoutError),
}


@pytest.mark.parametrize("choice", ["v05", "v08", "default"])
@pytest.mark.parametrize(("flash", "error"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(flash: bytes, choice: str, error: type[LayoutError]) -> None:
    with pytest.raises(LayoutError) as caught:
        alone(flash, choice)
    assert type(caught.value) is error


def test_the_sizes_that_the_firmware_can_use_are_named() -> None:
    with pytest.raises(StatedSizeError) as caught:
        alone(of_2_0("8MB"))
    assert (caught.value.expected, caught.value.found) == ("512KB, 1MB, 2MB, 4MB", "8MB")


def test_of_an_application_that_sets_the_place_itself_only_what_is_there_tells() -> None:
    erased = over(SDK_3, [(0xFC000, b"\xff" * SECTOR)])

    with pytest.raises(LayoutError, match="its own code sets the place"):
        alone(erased, "default")
    assert onto(erased, alone(erased, "v05"))[0xFC000:0xFC080] == V05
    assert onto(SDK_3, alone(SDK_3, "default"))[0xFC000:0xFC080] == V05


@pytest.mark.parametrize("erased", [True, False], ids=["erased first", "without a reader"])
def test_a_device_that_cannot_be_asked(erased: bool) -> None:
    target = Target("ESP8266EX", False, "", b"", 4 * MEGA)
    request = PlanRequest(init_data=InitDataSource("default"), erase_all=erased)

    with pytest.raises(LayoutError, match="cannot be asked"):
        plan_flash(request, target, (lambda at, size: DUMP_2_2[at : at + size]) if erased else None)


# The sector for RF calibration.


def at_rf_cal(content: bytes) -> bytes:
    return nodemcu_2("1MB", MEGA, (0xFB000, content))


CALIBRATION: Final = DUMP_2_2[0x3FB000:0x3FC000]


@pytest.mark.parametrize(
    ("flash", "place", "written", "said"),
    [
        (at_rf_cal(CALIBRATION), 0xFB000, True, []),
        (at_rf_cal(b""), 0xFB000, False, []),
        (at_rf_cal(b'{"name": "lamp", "key": "not shown"}\n' * 9), 0xFB000, False, ["rf-cal-spared"]),
        (at_rf_cal(b"\x07\x01" * 40), 0xFB000, True, []),
        (IMAGES["generations/nodemcu-1.5.1-files.bin"], 0x7B000, False, ["rf-cal-spared"]),
        (IMAGES["generations/nodemcu-0.9.5-files.bin"], 0x7B000, False, ["rf-cal-spared"]),
    ],
    ids=["calibration", "blank", "text", "unfamiliar", "files of NodeMCU 1.5", "files of NodeMCU 0.9.5"],
)
@pytest.mark.parametrize("choice", ["v08", "default"])
def test_calibration_goes_and_what_is_none_stays(
    flash: bytes, place: int, written: bool, said: list[str], choice: str
) -> None:
    plan = alone(flash, choice)
    after = onto(flash, plan)

    assert any(piece.address == place for piece in plan.pieces) is written
    assert after[place : place + SECTOR] == (b"\xff" * SECTOR if written else flash[place : place + SECTOR])
    assert (codes(plan.findings), plan.losses) == (said, ())


def test_what_is_only_compared_has_no_blank_calibration() -> None:
    target = Target("ESP8266EX", False, "", b"", 4 * MEGA)
    wanted = [(InitDataSource("v05"), ()), (None, (("@init-data", Piece(0, V05, "it")),))]
    for source, named in wanted:
        request = PlanRequest(named=named, init_data=source, blank_rf_cal=False)
        plan = plan_flash(request, target, lambda at, size: DUMP_2_2[at : at + size], weigh=False)

        assert [piece.address for piece in plan.pieces] == [0x3FC000]


# With other files.


def test_with_a_firmware_it_goes_where_that_looks() -> None:
    target = Target("ESP8266EX", False, "", b"", 4 * MEGA)
    request = PlanRequest((Piece(0, aggregate("sample"), "fw"),), init_data=InitDataSource("default"))
    plan = plan_flash(request, target, lambda at, size: ARDUINO[at : at + size])

    assert onto(ARDUINO, plan)[0x3FC000:0x3FC080] == V05


@pytest.mark.parametrize("pieces", [(), (Piece(0, aggregate("sample"), "fw"),)], ids=["alone", "firmware"])
def test_fields_of_a_file_by_name(pieces: tuple[Piece, ...]) -> None:
    target = Target("ESP8266EX", False, "", b"", 4 * MEGA)
    source = InitDataSource("auto", None, {"vdd33_const": "33"})
    request = PlanRequest(pieces, (("@init-data", Piece(0, V08, "v08.bin")),), init_data=source)
    plan = plan_flash(request, target, lambda at, size: DUMP_2_2[at : at + size])

    assert onto(DUMP_2_2, plan)[0x3FC000:0x3FC080] == over(V08, [(107, b"\x21")])


def test_data_beside_it_does_not_matter() -> None:
    target = Target("ESP8266EX", False, "", b"", 4 * MEGA)
    request = PlanRequest((Piece(0x200000, b"data" * 1024, "data"),), init_data=InitDataSource("v08"))
    plan = plan_flash(request, target, lambda at, size: USED_3[at : at + size])

    assert onto(USED_3, plan)[0xF000:0xF080] == V08
    assert onto(USED_3, plan)[0x200000:0x201000] == b"data" * 1024


FLASHES: Final[tuple[Callable[[], bytes], ...]] = (
    lambda: DUMP_2_2,
    lambda: USED_3,
    lambda: ARDUINO,
    lambda: over(b"\xff" * 4 * MEGA, [(0, IMAGES["generations/nodemcu-2.0.bin"])]),
    lambda: over(b"\xff" * 4 * MEGA, [(0, IMAGES["generations/nodemcu-1.5.1-files.bin"])]),
)


@settings(max_examples=60, deadline=None, phases=NO_SHRINKING)
@given(
    flash=st.sampled_from(FLASHES),
    choice=st.sampled_from(["v05", "v08", "default"]),
    edits=st.lists(st.tuples(st.sampled_from([*range(16), *range(0x10000, 0x10040)]), st.integers(0, 255))),
    capacity=st.sampled_from([256 * KILO, 512 * KILO, MEGA, 2 * MEGA, 4 * MEGA]),
)
def test_whatever_the_header_says_only_its_own_sectors_are_written(
    flash: Callable[[], bytes], choice: str, edits: list[tuple[int, int]], capacity: int
) -> None:
    content = over(flash(), [(at, bytes([value])) for at, value in edits])[:capacity]
    try:
        plan = alone(content, choice)
    except LayoutError:
        return
    places = [piece for piece in plan.pieces if piece.data[:128] in (V05, V08)]

    assert len(places) == 1
    assert len(plan.pieces) <= 2
    for piece in plan.pieces:
        assert (piece.address % SECTOR, len(piece.data)) == (0, SECTOR)
        assert piece.end <= capacity
