"""What efuses and flash IDs say; the rows are published bits, not readings of ours."""

from __future__ import annotations

import pytest

from imgtool.device.flash_chip import FlashChip, capacity_of
from imgtool.device.identity import identity_of
from imgtool.errors import ChipError
from imgtool.flash_parts import FLASH_PARTS

KILO, MEGA = 1024, 1024 * 1024


@pytest.mark.parametrize(
    ("words", "mac"),
    [
        ([0xC300_0000, 0x0000_A1B2, 0, 0], "18:fe:34:a1:b2:c3"),
        ([0xC300_0000, 0x0001_A1B2, 0, 0], "ac:d0:74:a1:b2:c3"),
        ([0xC300_0000, 0x0001_A1B2, 0, 0x005C_CF7F], "5c:cf:7f:a1:b2:c3"),
    ],
)
def test_mac_addresses(words: list[int], mac: str) -> None:
    assert identity_of(words, 52_000_000).mac == mac


def test_efuses_without_a_mac_are_told() -> None:
    with pytest.raises(ChipError, match="name no MAC address"):
        identity_of([0, 0x0005_0000, 0, 0], 52_000_000)


@pytest.mark.parametrize(
    ("words", "model", "size"),
    [
        ([0, 0, 0, 0], "ESP8266EX", None),
        ([1 << 4, 0, 0, 0x005C_CF7F], "ESP8285N08", MEGA),
        ([1 << 4 | 1 << 5, 0, 0, 0x005C_CF7F], "ESP8285H08", MEGA),
        ([1 << 4, 0, 0, 0x045C_CF7F], "ESP8285N16", 2 * MEGA),
        ([0, 0, 1 << 16, 0x025C_CF7F], "ESP8285N16", 2 * MEGA),
        ([0, 0, 1 << 16, 0x065C_CF7F], "ESP8285", 4 * MEGA),
        ([0, 0, 1 << 16, 0x085C_CF7F], "ESP8285", None),
    ],
)
def test_models(words: list[int], model: str, size: int | None) -> None:
    chip = identity_of(words, 52_000_000)
    assert (chip.model, chip.embedded_bytes, chip.embedded) == (model, size, model != "ESP8266EX")


@pytest.mark.parametrize(("hertz", "crystal"), [(51_937_000, 26), (52_480_000, 26), (80_200_000, 40)])
def test_crystals(hertz: int, crystal: int) -> None:
    assert identity_of([0, 0, 0, 0], hertz).crystal_mhz == crystal


@pytest.mark.parametrize("part", FLASH_PARTS, ids=lambda part: part.name)
def test_the_id_of_every_known_part_tells_its_capacity(part: object) -> None:
    assert capacity_of(part.id) == part.bytes  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("flash_id", "size"),
    [
        ("e04016", 4 * MEGA),
        ("c84032", 256 * KILO),
        ("c84038", 16 * MEGA),
        ("c84020", None),
        ("c84011", None),
        ("c84019", None),
        ("1f8901", 16 * MEGA),
        ("1f8a01", None),
        ("ffffff", None),
    ],
)
def test_capacities(flash_id: str, size: int | None) -> None:
    assert capacity_of(bytes.fromhex(flash_id)) == size


def test_what_sfdp_says_counts_more_than_an_id() -> None:
    chip = FlashChip(bytes.fromhex("c84016"), sfdp_bytes=2 * MEGA)
    assert (chip.bytes, chip.source, chip.part) == (2 * MEGA, "SFDP", "GD25Q32")
    assert FlashChip(bytes.fromhex("c84016")).source == "JEDEC ID"
    unknown = FlashChip(bytes.fromhex("77ffff"))
    assert (unknown.bytes, unknown.source, unknown.part, unknown.manufacturer) == (
        None,
        "unknown",
        None,
        None,
    )
