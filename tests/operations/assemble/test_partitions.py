"""Files and the partition table of the RTOS SDK: the same verdict by flash, by merge and by inspect."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import pytest

from fixtures import firmwares
from imgtool.chip import flash_size
from imgtool.errors import LayoutError
from imgtool.formats.images.version1 import patch_header
from imgtool.operations.assemble.merge import merge
from imgtool.operations.assemble.pieces import HeaderChange, Piece
from imgtool.operations.flashing.plan import PlanRequest, Target, check_files, plan_flash
from imgtool.operations.inspect.describe import describe
from tests.support import IMAGES, codes, over, read_case, said

if TYPE_CHECKING:
    from pathlib import Path

    from imgtool.formats.reading import Finding

MB: Final = 0x10_0000
LOADER, APP = IMAGES["rtos3/bootloader.bin"], IMAGES["rtos3/app.bin"]
OTADATA: Final = IMAGES["rtos3/otadata.bin"]
ERRORS: Final = {
    "overlap",
    "partition-align",
    "partition-flash",
    "otadata-size",
    "app-size",
    "app-line",
    "app-reach",
    "app-link",
}


def row(subtype: int, offset: int, size: int, kind: int = 0) -> bytes:
    return firmwares.partition(kind, subtype, offset, size, b"row%x" % offset)


def table(*rows: bytes) -> bytes:
    body = b"".join(rows)
    return (body + firmwares.md5_row(body)).ljust(0xC00, b"\xff")


def app_for(slot: int) -> bytes:
    app = firmwares.rtos_app(0x4020_0000 + slot)
    return app + hashlib.sha256(app).digest()


CHOOSES: Final = row(0, 0xD000, 0x2000, 1)
SET: Final = table(CHOOSES, row(0x10, 0x1_0000, 0xF_0000), row(0x11, 0x11_0000, 0xF_0000))

# The rows of the table; where an application goes, and which; the check that refuses, or a warning's code.
SETS: Final[dict[str, tuple[bytes, int, bytes, str]]] = {
    "right": (SET, 0x1_0000, APP, ""),
    "right in the second slot": (SET, 0x11_0000, APP, ""),
    "larger than its slot": (table(CHOOSES, row(0, 0x1_0000, 0x8000)), 0x1_0000, APP, "fit"),
    "as large as its slot": (table(CHOOSES, row(0, 0x1_0000, 0xB000)), 0x1_0000, APP, ""),
    "over a line": (table(row(0, 0xF_8000, 0x2_0000)), 0xF_8000, app_for(0xF_8000), "fit"),
    "before a line": (table(row(0, 0xF_0000, 0x1_0000)), 0xF_0000, app_for(0xF_0000), ""),
    "a slot over a line": (table(row(0x10, 0x1_0000, 0x10_0000)), 0x1_0000, APP, "slot-line"),
    "linked elsewhere": (table(row(0, 0x2_0000, 0x2_0000)), 0x2_0000, APP, "place"),
    "linked elsewhere, in ota_1": (
        table(row(0x10, 0x1_0000, 0x7_0000), row(0x11, 0x8_0000, 0x7_0000)),
        0x8_0000,
        APP,
        "place",
    ),
    "linked for ota_1": (
        table(row(0x10, 0x1_0000, 0x7_0000), row(0x11, 0x8_0000, 0x7_0000)),
        0x8_0000,
        app_for(0x8_0000),
        "",
    ),
    "behind 2 MB": (table(row(0, 0x20_0000, 0x2_0000)), 0x20_0000, app_for(0), "app-reach"),
    "overlap": (table(row(0, 0x1_0000, 0x2_0000), row(2, 0x2_0000, 0x1000, 1)), 0x1_0000, APP, "fit"),
    "over the table": (table(row(2, 0x8000, 0x1000, 1), row(0, 0x1_0000, 0x2_0000)), 0x1_0000, APP, "fit"),
    "otadata too small": (table(row(0, 0xD000, 0x1000, 1), row(0, 0x1_0000, 0x2_0000)), 0x1_0000, APP, "fit"),
    "no partitions": (table(), 0x1_0000, APP, "no-partitions"),
}


ALL: Final = frozenset({"fit", "place", "damaged"})
"""Code that runs over a line is linked for addresses that no memory holds, which is damage besides."""


def pieces(rows: bytes, at: int, app: bytes, *more: tuple[int, bytes]) -> tuple[Piece, ...]:
    files = [(0, LOADER), (0x8000, rows), (at, app), *more]
    return tuple(Piece(address, data, f"{address:x}.bin") for address, data in files)


def target(size: int = 4 * MB) -> Target:
    return Target("ESP8266EX", embedded=False, mac="", flash_id=b"", flash_bytes=size)


@pytest.mark.parametrize(("rows", "at", "app", "verdict"), SETS.values(), ids=SETS)
def test_flash_and_merge(rows: bytes, at: int, app: bytes, verdict: str) -> None:
    request = PlanRequest(pieces(rows, at, app), size_choice="4MB")
    if verdict in ("fit", "place"):
        for judge in (
            lambda: plan_flash(request, target()),
            lambda: check_files(request),
            lambda: merge(request.pieces, header=HeaderChange(size="4MB")),
        ):
            with pytest.raises(LayoutError) as caught:
                judge()
            assert caught.value.check == verdict
        forced = PlanRequest(request.pieces, size_choice="4MB", force=ALL)
        assert f"forced-{verdict}" in codes(plan_flash(forced, target()).findings)
        assert said(merge(request.pieces, verbatim=True).findings, "warning")
        return
    wanted = [verdict] if verdict else []
    assert [
        code for code in said(plan_flash(request, target()).findings, "warning") if code in wanted
    ] == wanted
    found = said(merge(request.pieces, header=HeaderChange(size="4MB")).findings, "warning", "error")
    assert found[-1:] == wanted
    assert bool(found) == bool(wanted)


@pytest.mark.parametrize(("rows", "at", "app", "verdict"), SETS.values(), ids=SETS)
def test_inspect_says_the_same_of_the_flash(rows: bytes, at: int, app: bytes, verdict: str) -> None:
    loader = patch_header(LOADER, size=flash_size("4MB").code)
    flash = over(b"\xff" * (4 * MB), [(0, loader), (at, app), (0x8000, rows)])
    description = describe(flash)

    wrong = ERRORS.intersection(said(description.findings, "error"))
    assert bool(wrong) == (verdict in ("fit", "place"))
    assert description.ok == (not wrong)


def errors_of(findings: tuple[Finding, ...]) -> set[str]:
    return {finding.code for finding in findings if finding.severity == "error"}


@pytest.mark.parametrize(
    ("choice", "chip", "verdict"),
    [
        ("2MB", 4 * MB, "refused"),
        ("4MB", 4 * MB, ""),
        ("detect", 4 * MB, "refused"),
        ("detect", 2 * MB, "refused"),
        ("keep", 4 * MB, "refused"),
        ("detect", None, "warned"),
        ("2MB", None, "refused"),
    ],
)
def test_a_table_for_more_than_the_flash(choice: str, chip: int | None, verdict: str) -> None:
    rows = table(row(0, 0x1_0000, 0xF_0000), row(0x82, 0x10_0000, 0x20_0000, 1))
    request = PlanRequest(pieces(rows, 0x1_0000, APP), size_choice=choice)
    device = Target("ESP8266EX", embedded=False, mac="", flash_id=b"", flash_bytes=chip)
    if verdict == "refused":
        with pytest.raises(LayoutError) as caught:
            plan_flash(request, device)
        assert (caught.value.check, caught.value.source) == ("fit", "8000.bin")
        assert (caught.value.found, "0x200000" in str(caught.value.expected)) == ("0x300000", True)
        return
    findings = plan_flash(request, device).findings
    assert ("partition-flash" in said(findings, "warning")) == (verdict == "warned")


@pytest.mark.parametrize(("size", "refused"), [(None, False), ("2MB", True), ("4MB", False)])
def test_merge_goes_by_the_size_that_is_asked_for(size: str | None, *, refused: bool) -> None:
    rows = table(row(0, 0x1_0000, 0xF_0000), row(0x82, 0x10_0000, 0x20_0000, 1))
    files = pieces(rows, 0x1_0000, APP)
    if refused:
        with pytest.raises(LayoutError, match="ends behind the flash"):
            merge(files, header=HeaderChange(size=size))
    else:
        found = codes(merge(files, header=HeaderChange(size=size)).findings)
        assert found == ([] if size else ["partition-flash"])


@pytest.mark.parametrize(("at", "found"), [(0xD000, []), (0xE000, ["not-used"])])
def test_otadata_goes_to_its_partition(at: int, found: list[str]) -> None:
    files = pieces(SET, 0x1_0000, APP, (at, OTADATA))

    assert said(merge(files).findings, "warning") == found


def test_a_whole_image_is_judged_like_its_files() -> None:
    rows = table(CHOOSES, row(0, 0x1_0000, 0x8000))
    merged = merge(pieces(rows, 0x1_0000, APP), verbatim=True).data

    assert "app-size" in errors_of(describe(merged).findings)
    with pytest.raises(LayoutError, match="larger than its partition") as caught:
        check_files(PlanRequest((Piece(0, merged, "merged.bin"),)))
    assert caught.value.check == "fit"


def test_detect_keeps_the_header_of_a_boot_loader() -> None:
    merged = merge(pieces(SET, 0x1_0000, APP)).data
    plan = plan_flash(PlanRequest((Piece(0, merged, "merged.bin"),)), target())

    assert plan.flash is not None
    assert (plan.flash.name, said(plan.findings, "warning", "error")) == ("2MB", [])
    assert plan.changes == ()


# --- what is on the device ---


def test_an_application_goes_into_the_slots_of_the_device() -> None:
    flash = over(b"\xff" * MB, [(0, LOADER), (0x8000, table(CHOOSES, row(0, 0x1_0000, 0x8000)))])
    request = PlanRequest((Piece(0x1_0000, APP, "app.bin"),))

    with pytest.raises(LayoutError) as caught:
        plan_flash(request, target(MB), lambda at, size: flash[at : at + size])
    assert caught.value.check == "fit"


@pytest.mark.parametrize("at", [0x1_0000, 0x8_0000])
def test_what_a_boot_loader_on_the_device_copies_is_not_known(at: int) -> None:
    rows = table(CHOOSES, row(0x10, 0x1_0000, 0x7_0000), row(0x11, 0x8_0000, 0x7_0000))
    flash = over(b"\xff" * MB, [(0, LOADER), (0x8000, rows)])
    plan = plan_flash(
        PlanRequest((Piece(at, APP, "app.bin"),)), target(MB), lambda start, size: flash[start : start + size]
    )

    assert ("app-link" in said(plan.findings, "warning")) == (at == 0x8_0000)


# --- real files, and those of public reports ---


def real_set(corpus: Path) -> tuple[Piece, ...]:
    names = (
        (0, "boot/rtos3-bootloader"),
        (0x8000, "rtos/rtos3-partition-table"),
        (0x1_0000, "rtos/rtos3-hello-world"),
    )
    return tuple(Piece(at, (corpus / f"{name}.bin").read_bytes(), name) for at, name in names)


def test_nothing_is_said_against_a_real_set(corpus: Path) -> None:
    files = real_set(corpus)

    assert said(merge(files).findings, "warning", "error") == []
    assert said(plan_flash(PlanRequest(files), target(2 * MB)).findings, "warning", "error") == []
    assert describe(merge(files, pad_to=2 * MB).data).ok


CASES: Final = {
    "24-rtos-slot-crosses-1mb": ("2MB", "", "slot-line"),
    "27-rtos-table-larger-than-flash": ("2MB", "fit", ""),
    "28-rtos-app-larger-than-slot": ("1MB", "fit", ""),
    "30-rtos-right-set-false-warning": ("4MB", "", ""),
}


@pytest.mark.parametrize(("folder", "size", "check", "code"), [(name, *case) for name, case in CASES.items()])
def test_a_report_of_files(corpus: Path, folder: str, size: str, check: str, code: str) -> None:
    files = tuple(
        Piece(at, read_case(corpus, folder, name), name)
        for at, name in ((0, "bootloader.bin"), (0x8000, "table.bin"), (0x1_0000, "app.bin"))
    )
    request = PlanRequest(files, size_choice=size)
    if check:
        with pytest.raises(LayoutError) as caught:
            check_files(request)
        assert caught.value.check == check
        assert (caught.value.offset or 0) < len(read_case(corpus, folder, str(caught.value.source)))
    else:
        plan = plan_flash(request, target(flash_size(size).bytes))
        assert said(plan.findings, "warning", "error") == ([code] if code else [])


@pytest.mark.parametrize(
    ("folder", "ok", "found"),
    [
        ("29-rtos-app-in-wrong-slot", False, {"app-link"}),
        ("34-rtos-empty-table", True, {"no-partitions", "flash-size-differs"}),
    ],
)
def test_a_report_of_a_flash(corpus: Path, folder: str, *, ok: bool, found: set[str]) -> None:
    description = describe(read_case(corpus, folder, "dump.bin"))

    assert description.ok == ok
    assert found <= set(said(description.findings, "warning", "error"))
