"""Which flash size each generation of firmware gets: detected, asked for by name, or kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from imgtool.chip import FLASH_SIZES, flash_size
from imgtool.errors import LayoutError
from imgtool.formats.kinds import Starter
from imgtool.formats.reading import Firmware
from imgtool.layout.fit import built_size, size_for, told_findings
from imgtool.layout.generations import BUILT_SIZES, GENERATIONS, generation_of
from imgtool.operations.assemble.merge import merge
from imgtool.operations.assemble.pieces import HeaderChange, Piece
from imgtool.operations.flashing.checks import content_of
from imgtool.operations.flashing.header import DETECT, KEEP_SIZE, FoundFlash, HeaderPlan, decide_header
from imgtool.operations.patch.steps import Changes, patch
from tests.support import IMAGES, aggregate, codes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Command

SAMPLE: Final = aggregate("sample")  # 1MB in its header
PYTHON: Final = IMAGES["micropython/micropython.bin"]  # the same, on SDK 2.0.0
CAPACITIES: Final = ("256KB", "512KB", "1MB", "2MB", "4MB", "8MB", "16MB")
STATED: Final = "1MB"
TROUBLE: Final = (
    "old-nodemcu-size",
    "old-sdk-size",
    "sdk-size-unknown",
    "micropython-size",
    "arduino-size",
    "size-taken-for-16mb",
)

# What a header of 1MB becomes on a chip of 256KB to 16MB ("!" is refused), and of which sizes that are asked
# for by name there is something to be said.
EACH: Final = ("256KB", "512KB", "1MB", "2MB", "4MB")
UP_TO_4MB: Final = ((*EACH, "4MB", "4MB"), ("8MB", "16MB"))
NODEMCU_4MB: Final = ((*EACH, "4MB", "4MB"), ("2MB-c1", "4MB-c1", "8MB", "16MB"))
ALL: Final = ((*EACH, "8MB", "16MB"), ())
KEPT: Final = ("!", "!", *["1MB"] * 5)
PLAIN: Final = "non-OS SDK application"
ROWS: Final[list[tuple[Firmware | None, tuple[tuple[str, ...], tuple[str, ...]]]]] = [
    (Firmware("NodeMCU", "1.5.4.1", "1.5.4.1(39cb9a32)"), NODEMCU_4MB),
    (Firmware("NodeMCU", "2.0.0", "2.0.0(656edbf)"), ((*EACH, "1MB", "1MB"), NODEMCU_4MB[1])),
    (Firmware("NodeMCU", "2.1.0", "2.1.0(116b762)"), ALL),
    (Firmware("NodeMCU", "2.2.0", "2.2.1(6ab97e9)"), ALL),
    (Firmware("NodeMCU"), NODEMCU_4MB),
    (Firmware(PLAIN, sdk="1.3.0"), UP_TO_4MB),
    (Firmware(PLAIN, sdk="2.0.0(656edbf)"), UP_TO_4MB),
    (Firmware(PLAIN, sdk="2.1.0(116b762)"), ALL),
    (Firmware(PLAIN, sdk="3.0.4(9532ceb)"), ALL),
    (Firmware(PLAIN), UP_TO_4MB),
    (None, UP_TO_4MB),
    (Firmware("MicroPython", "1.8", "1.5.2(80914727)"), UP_TO_4MB),
    (Firmware("MicroPython", "1.8.7", "2.0.0(5a875ba)"), UP_TO_4MB),
    (Firmware("MicroPython", "1.12", "2.2.0-dev(9422289)"), UP_TO_4MB),
    (Firmware("MicroPython", "1.14"), UP_TO_4MB),
    (Firmware("ESP8266 AT", "1.3", "1.5.4(baaeaebb)"), (KEPT, ("8MB", "16MB"))),
    (Firmware("ESP8266 AT", "1.7.6", "3.0.6-dev(072755c)"), (KEPT, ())),
    (Firmware("Arduino", "2.3.0", "1.5.3(aec24ac9)"), (KEPT, ("8MB", "16MB"))),
    (Firmware("Tasmota", "12.5.0", "2.2.2-dev(38a443e)"), (KEPT, ("2MB-c1", "4MB-c1"))),
    (Firmware("ESPHome", "2022.3.1"), (KEPT, ("2MB-c1", "4MB-c1", "8MB", "16MB"))),
    (Firmware("WLED", "0.14.3", "3.0.5(b29dcd3)"), (KEPT, ("2MB-c1", "4MB-c1"))),
    (Firmware("esp-open-rtos"), (KEPT, ())),
    (Firmware("Sming", "4.2"), (KEPT, ())),
]


def decided(firmware: Firmware | None, capacity: str, choice: str) -> HeaderPlan:
    """What the header of an image for 0 becomes, were its firmware that one."""
    content = content_of([Piece(0, SAMPLE, "sample.bin")], flash_size(capacity).bytes)
    assert content.main is not None
    content = content._replace(main=content.main._replace(firmware=firmware))
    chip = FoundFlash(flash_size(capacity).bytes, embedded=False)
    return decide_header(content, chip, HeaderChange(), choice, frozenset())


def named(plan: HeaderPlan) -> str:
    assert plan.flash is not None
    assert plan.first.data[3] >> 4 == plan.flash.code
    return plan.flash.name


@pytest.mark.parametrize(("firmware", "rules"), ROWS, ids=str)
def test_what_detect_writes(
    firmware: Firmware | None, rules: tuple[tuple[str, ...], tuple[str, ...]]
) -> None:
    for capacity, wanted in zip(CAPACITIES, rules[0], strict=True):
        if wanted == "!":
            with pytest.raises(LayoutError) as caught:
                decided(firmware, capacity, DETECT)
            assert caught.value.check == "size"
            continue
        plan = decided(firmware, capacity, DETECT)
        assert named(plan) == wanted, capacity
        less = flash_size(wanted).bytes < flash_size(capacity).bytes
        said = [code for code in codes(plan.findings) if code in ("size-limited", "size-kept")]
        assert said == (["size-kept" if rules[0] is KEPT else "size-limited"] if less else []), capacity
        assert not {*codes(plan.findings)} & {*TROUBLE}


@pytest.mark.parametrize(("firmware", "rules"), ROWS, ids=str)
def test_what_is_said_of_a_size_by_name(
    firmware: Firmware | None, rules: tuple[tuple[str, ...], tuple[str, ...]]
) -> None:
    for size in FLASH_SIZES:
        plan = decided(firmware, "16MB", size.name)
        assert named(plan) == size.name
        trouble = [finding for finding in plan.findings if finding.code in TROUBLE]
        assert len(trouble) == (size.name in rules[1]), size.name
        for finding in trouble:  # what happens, and the cure, which is none of the sizes with trouble
            assert str(finding.severity) == "warning"
            assert size.name in finding.message
            assert "4MB" in finding.message or "16MB" in finding.message


@pytest.mark.parametrize(("firmware", "rules"), ROWS, ids=str)
def test_keep_keeps(firmware: Firmware | None, rules: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
    del rules
    for capacity in CAPACITIES:
        assert decided(firmware, capacity, KEEP_SIZE).changes == ()


def test_a_kept_size_that_the_sdk_cannot_use_is_said() -> None:
    data = bytearray(PYTHON)
    data[3] = 0x90
    content = content_of([Piece(0, bytes(data), "python.bin")], 0x100_0000)
    with_16mb = decide_header(content, FoundFlash(0x100_0000, False), HeaderChange(), KEEP_SIZE, frozenset())

    assert (named(with_16mb), codes(with_16mb.findings)) == ("16MB", ["old-sdk-size"])


def test_no_row_is_told_unasked_what_it_does_not_read_right() -> None:
    for row in GENERATIONS:
        assert row.sizes.sure <= row.sizes.codes
        assert row.sizes.sure == row.sizes.codes or row.sizes.others is not None
        assert row.sizes.beyond is None or row.sizes.beyond in row.sizes.sure


@pytest.mark.parametrize(
    ("firmware", "size", "said"),
    [
        (Firmware("WLED", "0.14.3", "3.0.5(b29dcd3)"), "4MB", True),  # Flash size mismatch
        (Firmware("WLED", "0.14.3", "3.0.5(b29dcd3)"), "512KB", True),
        (Firmware("WLED", "0.14.3", "3.0.5(b29dcd3)"), "1MB", False),
        (Firmware("Tasmota", "12.5.0", "2.2.2-dev(38a443e)"), "4MB", False),
        (Firmware("Tasmota", "12.5.0", "2.2.2-dev(38a443e)"), "512KB", True),
        (Firmware("Sming", "4.2"), "4MB", True),
        (Firmware("ESP8266 AT", "1.3", "1.5.4(baaeaebb)"), "4MB", True),
        (Firmware("esp-open-rtos"), "4MB", True),
        (Firmware("NodeMCU", "2.2.0"), "4MB", False),
    ],
    ids=str,
)
def test_a_size_that_a_build_is_not_for(firmware: Firmware, size: str, said: bool) -> None:
    findings = told_findings(flash_size(size), flash_size(STATED), firmware)

    assert ("size-not-built-for" in codes(findings)) is said


@pytest.mark.parametrize("starter", Starter)
def test_boot_loaders_keep_the_size_whatever_they_start(starter: Starter) -> None:
    plain = Firmware(PLAIN, sdk="2.2.1(6ab97e9)")

    assert (built_size(plain, starter) is not None) is (starter in BUILT_SIZES)
    assert (starter in BUILT_SIZES) is (starter not in (Starter.ROM, Starter.EBOOT))
    assert built_size(Firmware("Tasmota"), Starter.EBOOT) is generation_of(Firmware("Tasmota")).sizes.built


def test_an_image_for_two_slots_stays_one_and_within_what_the_sdk_knows() -> None:
    old = Firmware(PLAIN, sdk="2.0.0(656edbf)")

    assert size_for(0x100_0000, flash_size("4MB-c1"), old) == flash_size("4MB-c1")


@pytest.mark.parametrize(
    ("size", "said"), [("16MB", ["old-sdk-size"]), ("4MB", []), ("8MB", ["old-sdk-size"])]
)
def test_patch_and_merge_say_it_too(size: str, said: list[str]) -> None:
    change = HeaderChange(size=size)
    patched = patch(PYTHON, Changes(header=change))
    merged = merge([Piece(0, PYTHON, "python.bin")], header=change)

    assert (codes(patched.findings), codes(merged.findings)) == (said, said)


@pytest.mark.parametrize(
    ("port", "options", "nibble", "said"),
    [
        ("16MB", (), 4, "size-limited"),
        ("8MB", (), 4, "size-limited"),
        ("4MB", (), 4, None),
        ("512KB", (), 0, None),
        ("16MB", ("-fs", "16MB"), 9, "old-sdk-size"),
        ("16MB", ("-fs", "keep"), 2, "flash-size-differs"),
    ],
)
def test_what_the_virtual_chip_has_in_its_header(
    imgtool: Command, folder: Path, port: str, options: tuple[str, ...], nibble: int, said: str | None
) -> None:
    (folder / "python.bin").write_bytes(PYTHON)
    wanted = ("flash", "python.bin", "-p", f"sim:{port},flash=f.bin", "--stub", "none", "--no-boot-check")
    run = imgtool(*wanted, *options, "--json")

    assert run.code == 0, run.err
    assert (folder / "f.bin").read_bytes()[3] >> 4 == nibble
    sizes = {"size-limited", "old-sdk-size", "flash-size-differs"}
    assert [code for code in sizes if f'"{code}"' in run.out] == ([] if said is None else [said])
