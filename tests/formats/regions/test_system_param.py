from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures import blocks, dumps, firmwares
from imgtool.formats.regions.rtos_otadata import OtaData
from imgtool.formats.regions.system_param import (
    LoaderFlags,
    Station,
    is_loaders,
    is_structured,
    station,
)

SECTOR = 0x1000
COPY = dumps.PARAMETERS.ljust(SECTOR, b"\xff")


def test_flags_of_the_loader() -> None:
    flags = LoaderFlags.parse(COPY)

    assert (flags.slot, flags.good, flags.version, flags.fresh) == (1, True, 6, False)
    assert (flags.in_test, flags.enhanced) == (False, False)
    assert LoaderFlags.parse(b"").fresh


def test_addresses_of_the_loader() -> None:
    flags = LoaderFlags.parse(bytes.fromhex("fc 26 001000 001008"))

    assert (flags.test_image, flags.first_image) == (0x1000, 0x81000)
    assert (flags.in_test, flags.enhanced) == (True, True)


def test_network() -> None:
    assert station(COPY) == Station(dumps.SSID, dumps.PASSWORD)


@pytest.mark.parametrize("size", [1, 12, 31, 32])
def test_names_of_any_length(size: int) -> None:
    name = "n" * size
    copy = (COPY[:12] + dumps.station(name, "")).ljust(SECTOR, b"\xff")

    assert station(copy) == Station(name, "")


@pytest.mark.parametrize(
    "field",
    [bytes(96), b"\xff" * 96, b"\x01\x02" * 48, b"A" * 96, b"name\0junk".ljust(96, b"\x01")],
    ids=["zeros", "erased", "binary", "too-long", "junk-behind"],
)
def test_no_network(field: bytes) -> None:
    assert station((COPY[:16] + field).ljust(SECTOR, b"\xff")) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_read(data: bytes) -> None:
    copy = data.ljust(SECTOR, b"\xff")

    assert not is_loaders(copy) or is_structured(copy)
    assert LoaderFlags.parse(data).slot in range(4)
    assert station(copy) is None or is_structured(copy)


@given(st.integers(0, 1 << 32))
def test_noise_is_no_copy(seed: int) -> None:
    noise = blocks.stream(f"copy/{seed}", SECTOR)

    assert (is_structured(noise), is_loaders(noise), station(noise)) == (False, False, None)


# --- which slot an RTOS SDK starts ---------------------------------------------------------------


@given(st.integers(1, 0xFFFFFFFE), st.integers(1, 16))
def test_slot_by_number(number: int, count: int) -> None:
    data = firmwares.ota_entry(number).ljust(2 * SECTOR, b"\xff")

    assert (OtaData.parse(data, 0).slot(count), OtaData.parse(data, 0).empty) == ((number - 1) % count, False)


@given(st.binary(max_size=40), st.integers(0, 50))
def test_any_bytes_are_entries(data: bytes, offset: int) -> None:
    found = OtaData.parse(data, offset)

    assert found.newest is None or found.newest > 0
    assert found.slot(0) is None
