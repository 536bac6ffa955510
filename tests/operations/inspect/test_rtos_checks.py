"""What is said of a flash with the RTOS SDK 3: table, applications, otadata, the size in the header."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import pytest

from fixtures import blocks, firmwares
from imgtool.chip import flash_size
from imgtool.formats.images.version1 import BootImage, Segment, patch_header
from imgtool.operations.inspect.describe import describe
from tests.support import IMAGES, codes, flipped, over, said

if TYPE_CHECKING:
    from imgtool.operations.inspect.describe import Description
    from imgtool.operations.inspect.flash_slots import ActiveSlot

MB: Final = 0x10_0000
LOADER, APP = IMAGES["rtos3/bootloader.bin"], IMAGES["rtos3/app.bin"]
OTA_0, OTA_1, FACTORY, TEST = 0x10, 0x11, 0x00, 0x20


def row(subtype: int, offset: int, size: int, name: bytes, kind: int = 0) -> bytes:
    return firmwares.partition(kind, subtype, offset, size, name)


CHOOSES: Final = row(0, 0xD000, 0x2000, b"otadata", 1)
TWO: Final = (CHOOSES, row(OTA_0, 0x1_0000, 0x7_0000, b"ota_0"), row(OTA_1, 0x8_0000, 0x7_0000, b"ota_1"))


def app_for(slot: int) -> bytes:
    app = firmwares.rtos_app(0x4020_0000 + slot)
    return app + hashlib.sha256(app).digest()


def flash(
    rows: tuple[bytes, ...],
    *writes: tuple[int, bytes],
    size: int = MB,
    stated: str = "1MB",
    loader: bytes = LOADER,
) -> bytes:
    body = b"".join(rows)
    table = body + firmwares.md5_row(body)
    head = patch_header(loader, size=flash_size(stated).code)
    return over(b"\xff" * size, [(0, head), (0x8000, table), *writes])


def update(number: int) -> tuple[int, bytes]:
    return 0xD000 + (number - 1) % 2 * 0x1000, firmwares.ota_entry(number)


def wrong(description: Description) -> list[str]:
    return said(description.findings, "warning", "error")


def active(data: bytes) -> ActiveSlot:
    state = describe(data).state
    assert state is not None
    assert state.active_slot is not None
    return state.active_slot


def loader_with(text: bytes) -> bytes:
    """The boot loader with one string more."""
    image = BootImage.parse(LOADER)
    last = image.segments[-1]
    words = blocks.strings(text).ljust(-(-len(text) // 4) * 4 + 4, b"\0")
    longer = Segment(last.address, last.data + words[: len(words) // 4 * 4])
    return image._replace(segments=(*image.segments[:-1], longer), stored_checksum=None).build()


@pytest.mark.parametrize(
    ("writes", "ok", "found"),
    [
        ([(0x1_0000, APP), (0x8_0000, app_for(0x8_0000)), update(2)], True, []),
        ([(0x1_0000, APP), (0x8_0000, APP), update(2)], False, ["app-link"]),
        ([(0x1_0000, APP), (0x8_0000, APP), update(1)], True, ["app-link"]),
        ([(0x1_0000, APP), (0x8_0000, APP)], True, ["app-link"]),
        ([(0x1_0000, APP)], True, []),
    ],
    ids=["its own build", "started", "not started", "never updated", "not there"],
)
def test_an_application_that_is_linked_for_another_slot(
    writes: list[tuple[int, bytes]], *, ok: bool, found: list[str]
) -> None:
    description = describe(flash(TWO, *writes))

    assert (description.ok, wrong(description)) == (ok, found)


def test_a_boot_loader_that_copies_starts_it_all_the_same() -> None:
    loader = loader_with(b"Fail to initialize OTA0")
    data = flash(TWO, (0x1_0000, APP), (0x8_0000, APP), update(2), loader=loader)

    assert wrong(describe(data)) == []
    assert "copies to ota_0" in active(data).reason


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"app bin error, start_addr %x", ["slot-reach", "app-reach", "nothing-starts"]),
        (b"flash mapped address %p is invalid", []),
        (b"some other words", ["app-reach"]),
    ],
    ids=["to 3.3", "from 3.4 on", "not known"],
)
def test_a_slot_behind_2_mb_by_the_boot_loader(text: bytes, found: list[str]) -> None:
    rows = (row(FACTORY, 0x21_0000, 0xF_0000, b"factory"),)
    description = describe(flash(rows, (0x21_0000, APP), size=4 * MB, stated="4MB", loader=loader_with(text)))

    assert sorted(wrong(description)) == sorted(found)
    assert description.ok == (len(found) < 2)


@pytest.mark.parametrize("place", [0x9000, 0x1_0000, 0x2_0000])
def test_a_project_may_move_the_table(place: int) -> None:
    rows = row(FACTORY, 0x3_0000, 0x7_0000, b"factory")
    table = rows + firmwares.md5_row(rows)
    data = over(b"\xff" * 2 * MB, [(0, LOADER), (place, table), (0x3_0000, app_for(0x3_0000))])
    description = describe(data)

    assert wrong(description) == []
    assert (active(data).name, active(data).offset) == ("factory", 0x3_0000)
    assert said(describe(over(data, [(0x3_0000, APP)])).findings, "error") == ["app-link"]


def test_what_cannot_run_is_said_with_what_starts() -> None:
    rows = (row(FACTORY, 0x2_0000, 0xE_0000, b"factory"),)

    assert active(flash(rows, (0x2_0000, app_for(0x2_0000)))).reason.endswith("would choose")
    assert active(flash(rows, (0x2_0000, APP))).reason.endswith("cannot run there")
    hangs = (row(FACTORY, 0xF_8000, 0x2_0000, b"factory"),)
    data = flash(
        hangs,
        (0xF_8000, app_for(0xF_8000)),
        size=2 * MB,
        stated="2MB",
        loader=loader_with(b"app bin error, start_addr %x"),
    )
    assert active(data).nothing
    assert "does not end before the 1 MB line at 0x100000" in active(data).reason


def test_an_application_that_is_too_large_is_not_started() -> None:
    rows = (CHOOSES, row(FACTORY, 0x1_0000, 0x8000, b"factory"), row(OTA_0, 0x8_0000, 0x7_0000, b"ota_0"))
    data = flash(rows, (0x1_0000, APP), (0x8_0000, app_for(0x8_0000)))

    assert (active(data).name, active(data).certainty) == ("ota_0", "known")
    assert "factory is larger than its partition" in active(data).reason
    assert "app-size" in wrong(describe(data))


def test_the_test_application_is_the_last_that_is_tried() -> None:
    rows = (CHOOSES, row(TEST, 0x1_0000, 0x7_0000, b"test"), row(OTA_0, 0x8_0000, 0x7_0000, b"ota_0"))

    assert active(flash(rows, (0x1_0000, APP))).name == "test"
    assert active(flash(rows, (0x1_0000, APP), (0x8_0000, app_for(0x8_0000)))).name == "ota_0"


@pytest.mark.parametrize(
    ("size", "stated", "found", "starts"),
    [
        (4 * MB, "4MB", [], True),
        (4 * MB, "2MB", ["nothing-starts", "partition-flash"], False),
        (4 * MB, "16MB", ["flash-size-differs"], True),
        (2 * MB, "4MB", ["flash-size-differs", "partition-cut"], True),
        (4 * MB + 0x1000, "2MB", ["partition-flash"], True),
    ],
    ids=["right", "header too small", "header too large", "cut", "no whole flash"],
)
def test_the_size_in_the_header(size: int, stated: str, found: list[str], *, starts: bool) -> None:
    rows = (row(FACTORY, 0x1_0000, 0xF_0000, b"factory"), row(0x82, 0x10_0000, 0x20_0000, b"files", 1))
    data = flash(rows, (0x1_0000, APP), size=size, stated=stated)
    description = describe(data)

    assert sorted(wrong(description)) == found
    assert (active(data).name == "factory") == starts
    assert description.ok == starts


def test_a_table_without_partitions() -> None:
    data = flash((), (0x1_0000, APP))
    description = describe(data)

    assert wrong(description) == ["nothing-starts", "no-partitions"]
    assert [part.note for part in description.parts if part.kind == "partition-table"] == ["no partitions"]
    assert active(data).nothing


def test_an_entry_with_a_wrong_crc() -> None:
    at, entry = update(2)
    data = flash(TWO, (0x1_0000, APP), update(1), (at, flipped(entry, 30)))
    (finding,) = [each for each in describe(data).findings if each.severity == "warning"]

    assert (finding.code, finding.offset) == ("otadata-crc", 0xE000)
    assert active(data).name == "ota_0"


def test_data_over_the_table_is_said_and_hides_nothing() -> None:
    rows = (row(2, 0x8000, 0x2000, b"nvs", 1), row(FACTORY, 0x1_0000, 0x8_0000, b"factory"))
    description = describe(flash(rows, (0x1_0000, APP)))

    assert wrong(description) == ["overlap"]
    assert "partition-table" in [part.kind for part in description.parts]


# --- a table alone ---


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("rtos3/partitions.bin", ["flash-needed"]),
        ("rtos3/partitions-no-md5.bin", ["no-md5", "flash-needed"]),
        ("rtos3/partitions-empty.bin", ["no-partitions"]),
    ],
)
def test_a_table_alone(name: str, found: list[str]) -> None:
    assert codes(describe(IMAGES[name]).findings) == found


def test_a_table_alone_that_cannot_be() -> None:
    rows = b"".join((row(FACTORY, 0x1_0000, 0x8_0000, b"a"), row(2, 0x8_0000, 0x1000, b"b", 1)))
    description = describe((rows + firmwares.md5_row(rows)).ljust(0xC00, b"\xff"))

    assert not description.ok
    assert [(each.code, each.offset) for each in description.findings if each.severity == "error"] == [
        ("overlap", 0x20)
    ]


def test_no_release_of_the_fixtures_is_wrong() -> None:
    for name in ("dumps/rtos3-1m.bin", "generations/rtos-3.bin"):
        assert wrong(describe(IMAGES[name])) == []
