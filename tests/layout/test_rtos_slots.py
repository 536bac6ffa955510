"""The rules of partitions and applications of the RTOS SDK 3, each with its neighbours on both sides."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.formats.images.rtos_bootloader import RtosLoader, loader_of
from imgtool.formats.reading import Severity
from imgtool.formats.regions.rtos_partitions import Partition, RtosPartitionTable
from imgtool.layout import rtos_slots
from imgtool.layout.rtos_slots import Application, Fault, application_at
from tests.support import IMAGES

MB: Final = 0x10_0000
NEAR, FAR, ANY = RtosLoader(0x20_0000, copies=False), RtosLoader(0x80_0000, copies=False), RtosLoader()
COPIES: Final = RtosLoader(0x80_0000, copies=True)
APP, DATA = 0, 1
FACTORY, OTA_0, OTA_1 = 0x00, 0x10, 0x11


def app(offset: int, size: int, subtype: int = OTA_0, name: str = "app") -> Partition:
    return Partition(APP, subtype, offset, size, name)


def data(offset: int, size: int, subtype: int = 2, name: str = "data") -> Partition:
    return Partition(DATA, subtype, offset, size, name)


def said(faults: tuple[Fault, ...]) -> list[str]:
    """The codes with the first letter of how bad each is: ``E``, ``W``, ``N``."""
    return [f"{fault.severity[0].upper()} {fault.code}" for fault in faults]


GOOD: Final = (data(0x9000, 0x4000), data(0xD000, 0x2000, 0), app(0x1_0000, 0xF_0000))
TABLES: Final[dict[str, tuple[tuple[Partition, ...], RtosLoader, list[str]]]] = {
    "one application": (GOOD, ANY, []),
    "two, a MB apart": ((*GOOD, app(0x11_0000, 0xF_0000, OTA_1)), ANY, []),
    "nothing": ((), ANY, ["W no-partitions"]),
    "no application": (GOOD[:2], ANY, ["W no-partitions"]),
    # order
    "neighbours": ((*GOOD, data(0x10_0000, 0x1000)), ANY, []),
    "a byte into the next": ((*GOOD, data(0xF_F000, 0x1000)), ANY, ["E overlap"]),
    "a small one within a large one": ((*GOOD, data(0x2_0000, 0x1000)), ANY, ["E overlap"]),
    "behind a small one within a large one": (
        (*GOOD, data(0x2_0000, 0x1000), data(0x3_0000, 0x1000)),
        ANY,
        ["E overlap", "E overlap"],
    ),
    # alignment
    "an application between sectors": ((app(0x1_0800, 0x1000),), ANY, ["E partition-align"]),
    "data between sectors": ((*GOOD[2:], data(0x10_0004, 0x1000)), ANY, ["W partition-align"]),
    # the one that chooses
    "otadata of a sector": ((data(0xD000, 0x1000, 0), GOOD[2]), ANY, ["E otadata-size"]),
    "otadata of three": ((data(0xC000, 0x3000, 0), GOOD[2]), ANY, []),
    # lines
    "to a line": ((app(0x1_0000, 0xF_0000),), ANY, []),
    "over a line": ((app(0x1_0000, 0xF_1000),), ANY, ["W slot-line"]),
    "over a line by a loader of 3.4": ((app(0x1_0000, 0xF_1000),), FAR, ["W slot-line"]),
    "over two lines": ((app(0x1_0000, 0x20_0000),), ANY, ["W slot-line"]),
    # reach
    "up to 2 MB": ((app(0x1F_0000, 0x1_0000),), NEAR, []),
    "from 2 MB on": ((app(0x20_0000, 0x1_0000),), NEAR, ["W slot-reach"]),
    "from 2 MB on by a loader of 3.4": ((app(0x20_0000, 0x1_0000),), FAR, []),
    "from 2 MB on by some loader": ((app(0x20_0000, 0x1_0000),), ANY, ["N slot-reach"]),
    "up to 8 MB": ((app(0x7F_0000, 0x1_0000),), FAR, []),
    "from 8 MB on": ((app(0x80_0000, 0x1_0000),), FAR, ["W slot-reach"]),
    "from 8 MB on by some loader": ((app(0x80_0000, 0x1_0000),), ANY, ["W slot-reach"]),
    # numbers
    "slot 1 alone": ((app(0x1_0000, 0x1_0000, OTA_1),), ANY, ["W slot-number"]),
    "slots 0 and 2": (
        (app(0x1_0000, 0x1_0000), app(0x11_0000, 0x1_0000, 0x12)),
        ANY,
        ["W slot-number"],
    ),
    "slot 0 twice": (
        (app(0x1_0000, 0x1_0000), app(0x11_0000, 0x1_0000)),
        ANY,
        ["W slot-number"],
    ),
    "two builds": (
        (app(0x1_0000, 0x7_0000), app(0x8_0000, 0x7_0000, OTA_1)),
        ANY,
        ["N slot-builds"],
    ),
    "the factory's elsewhere": (
        (app(0x8_0000, 0x7_0000, FACTORY), app(0x11_0000, 0x7_0000), app(0x21_0000, 0x7_0000, OTA_1)),
        FAR,
        [],
    ),
}


@pytest.mark.parametrize(("rows", "loader", "faults"), TABLES.values(), ids=TABLES)
def test_a_table(rows: tuple[Partition, ...], loader: RtosLoader, faults: list[str]) -> None:
    assert said(rtos_slots.table_faults(RtosPartitionTable(rows), loader)) == faults


@pytest.mark.parametrize(
    ("offset", "faults"), [(0x8000, ["E overlap"]), (0x8FFC, ["E overlap"]), (0x9000, [])]
)
def test_nothing_lies_over_the_table_itself(offset: int, faults: list[str]) -> None:
    table = RtosPartitionTable((data(offset, 0x1000), app(0x1_0000, 0x1_0000)))

    found = rtos_slots.table_faults(table, place=0x8000)
    assert [each for each in said(found) if "overlap" in each] == faults
    assert not [each for each in said(rtos_slots.table_faults(table)) if "overlap" in each]


def test_what_is_said_of_a_crossing_has_the_cure() -> None:
    table = RtosPartitionTable((app(0x1_0000, 0xD_0000), app(0xE_0000, 0xD_0000, OTA_1, "ota_1")))
    fault = rtos_slots.table_faults(table, at=0x8000)[0]

    assert fault.offset == 0x8020
    assert fault.words == (
        "partition ota_1 (0x0e0000 to 0x1affff) crosses the 1 MB line at 0x100000: an application that "
        "reaches beyond it cannot run, and 131,072 bytes lie before it; the usual place is 0x110000"
    )


@pytest.mark.parametrize(
    ("end", "flash", "certain", "faults"),
    [
        (0x20_0000, 2 * MB, True, []),
        (0x20_1000, 2 * MB, True, ["E partition-flash"]),
        (0x20_1000, 2 * MB, False, ["W partition-flash"]),
        (0x20_1000, 4 * MB, True, []),
        (0x100_0000, None, False, []),
        (0x100_1000, None, False, ["E partition-flash"]),
    ],
)
def test_a_table_and_a_flash(end: int, flash: int | None, certain: bool, faults: list[str]) -> None:
    table = RtosPartitionTable((*GOOD, data(0x10_0000, end - 0x10_0000)))

    assert said(rtos_slots.flash_faults(table, flash, "", certain=certain)) == faults


@pytest.mark.parametrize(
    ("end", "name"),
    [(0x10_0000, "1MB"), (0x10_0001, "2MB"), (0x20_0000, "2MB"), (0x90_0000, "16MB"), (0x100_0001, None)],
)
def test_the_least_flash(end: int, name: str | None) -> None:
    least = rtos_slots.least_flash(RtosPartitionTable((data(0x9000, end - 0x9000),)))

    assert (None if least is None else least.name) == name


APPLICATIONS: Final[dict[str, tuple[Partition, Application, RtosLoader, list[str]]]] = {
    "whole": (app(0x1_0000, 0x8000), Application(0x1_0000, 0x8000, 0x1_0000), ANY, []),
    "a byte more": (app(0x1_0000, 0x8000), Application(0x1_0000, 0x8001, 0x1_0000), ANY, ["E app-size"]),
    # link
    "in the second MB": (app(0x11_0000, 0x8000), Application(0x11_0000, 1, 0x1_0000), ANY, []),
    "in the third": (app(0x21_0000, 0x8000), Application(0x21_0000, 1, 0x1_0000), FAR, []),
    "elsewhere": (app(0x2_0000, 0x8000), Application(0x2_0000, 1, 0x1_0000), FAR, ["E app-link"]),
    "elsewhere, who knows the loader": (
        app(0x2_0000, 0x8000),
        Application(0x2_0000, 1, 0x1_0000),
        ANY,
        ["E app-link"],
    ),
    "in ota_1": (app(0x8_0000, 1, OTA_1), Application(0x8_0000, 1, 0x1_0000), FAR, ["E app-link"]),
    "in ota_1, who knows the loader": (
        app(0x8_0000, 1, OTA_1),
        Application(0x8_0000, 1, 0x1_0000),
        ANY,
        ["W app-link"],
    ),
    "in ota_1, copied": (app(0x8_0000, 1, OTA_1), Application(0x8_0000, 1, 0x1_0000), COPIES, []),
    "in ota_0, not copied": (app(0x8_0000, 1), Application(0x8_0000, 1, 0x1_0000), COPIES, ["E app-link"]),
    "not masked": (app(0x11_0000, 1), Application(0x11_0000, 1, 0x11_0000), ANY, ["E app-link"]),
    "nothing tells": (app(0x2_0000, 1), Application(0x2_0000, 1), FAR, []),
    # lines
    "before a line": (app(0x1_0000, MB), Application(0x1_0000, 0xE_FFFF, 0x1_0000), NEAR, []),
    "to a line": (app(0x1_0000, MB), Application(0x1_0000, 0xF_0000, 0x1_0000), NEAR, ["E app-line"]),
    "to a line with 3.4": (app(0x1_0000, MB), Application(0x1_0000, 0xF_0000, 0x1_0000), FAR, []),
    "to a line, who knows": (
        app(0x1_0000, MB),
        Application(0x1_0000, 0xF_0000, 0x1_0000),
        ANY,
        ["W app-line"],
    ),
    "over a line": (app(0x1_0000, MB), Application(0x1_0000, 0xF_0001, 0x1_0000), FAR, ["E app-line"]),
    # reach
    "at 2 MB": (app(0x20_0000, MB), Application(0x20_0000, 1, 0), NEAR, ["E app-reach"]),
    "at 2 MB with 3.4": (app(0x20_0000, MB), Application(0x20_0000, 1, 0), FAR, []),
    "at 2 MB, who knows": (app(0x20_0000, MB), Application(0x20_0000, 1, 0), ANY, ["W app-reach"]),
    "at 8 MB": (app(0x80_0000, MB), Application(0x80_0000, 1, 0), ANY, ["E app-reach"]),
}


@pytest.mark.parametrize(("row", "application", "loader", "faults"), APPLICATIONS.values(), ids=APPLICATIONS)
def test_an_application(
    row: Partition, application: Application, loader: RtosLoader, faults: list[str]
) -> None:
    assert said(rtos_slots.application_faults(row, application, loader)) == faults


@pytest.mark.parametrize(
    ("text", "loader"),
    [
        (b"ERROR: app bin error, start_addr %x", RtosLoader(0x20_0000)),
        (b"flash mapped address %p is invalid", RtosLoader(0x80_0000)),
        (b"", RtosLoader()),
        (b"load partition table error!", RtosLoader(None, copies=False)),
        (b"load partition table error!\0Fail to initialize OTA0", RtosLoader(None, copies=True)),
    ],
)
def test_the_strings_of_a_boot_loader_tell_what_it_can(text: bytes, loader: RtosLoader) -> None:
    assert loader_of(b"\xe9" + text) == loader
    assert loader_of(b"\xe9".ljust(0x8000, b"\xff") + text) == RtosLoader()


def test_the_application_in_a_file() -> None:
    image = IMAGES["rtos3/app.bin"]

    assert application_at(image, 0, 0x11_0000) == Application(0x11_0000, len(image) - 32, 0x1_0000)
    assert application_at(image[:1000], 0, 0) is None
    assert application_at(b"\xff" * 64, 0, 0) is None


def test_the_codes_of_all_errors_have_a_check() -> None:
    every = [fault for rows, loader, _ in TABLES.values() for fault in _of_table(rows, loader)]
    for row, each, loader, _ in APPLICATIONS.values():
        every += _of_application(row, each, loader)
    errors = {fault.code for fault in every if fault.severity is Severity.ERROR}

    assert errors | {"partition-flash"} == rtos_slots.CHECKS.keys()


def _of_table(rows: tuple[Partition, ...], loader: RtosLoader) -> tuple[Fault, ...]:
    return rtos_slots.table_faults(RtosPartitionTable(rows), loader)


def _of_application(row: Partition, each: Application, loader: RtosLoader) -> tuple[Fault, ...]:
    return rtos_slots.application_faults(row, each, loader)


WORD: Final = st.integers(0, 0xFFFF_FFFF)
ROWS: Final = st.builds(Partition, st.integers(0, 2), st.integers(0, 0x21), WORD, WORD, st.just("name"))


@given(st.lists(ROWS, max_size=8), st.sampled_from([NEAR, FAR, ANY, COPIES]))
def test_any_rows_are_judged(rows: list[Partition], loader: RtosLoader) -> None:
    table = RtosPartitionTable(tuple(rows))
    faults = (*rtos_slots.table_faults(table, loader, place=0x8000), *rtos_slots.flash_faults(table, MB, ""))

    assert all(fault.code in rtos_slots.CHECKS for fault in faults if fault.severity is Severity.ERROR)
