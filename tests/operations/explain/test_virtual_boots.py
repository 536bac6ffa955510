"""The virtual chip and explain agree: what one of them prints, the other one understands."""

from __future__ import annotations

from typing import Final, NamedTuple

import pytest

from imgtool.engine.boot_logs import explain
from imgtool.formats.logs.boots import ResetCause
from imgtool.formats.regions.init_data import SETS
from imgtool.operations.explain.values import Verdict
from imgtool.virtual.chip.boot import BootOutcome, BootRun, boot
from imgtool.virtual.chip.boot_stage import ROM_BAUD
from tests.support import IMAGES, aggregate, flipped, table_page

MB: Final = 0x10_0000
PAGE: Final = 0x1_0000
WHOLE: Final = 0x8_0000  # the smallest of the whole flashes
ERASED: Final = b"\xff"

# What a run that ends so comes to; the first row that fits.  A loop is told by what it loops on.
REASONS: Final = (
    (BootOutcome.BOOT_LOOP, "the init data at", Verdict.INIT_DATA),
    (BootOutcome.BOOT_LOOP, "there is no user1", Verdict.NO_IMAGE),
    (BootOutcome.HANGS, "the checksum of the image at 0 is", Verdict.BAD_IMAGE),
    (BootOutcome.HANGS, "the ROM can read no more", Verdict.BAD_IMAGE),
    (BootOutcome.HANGS, "addresses that are no multiples of 4", Verdict.BAD_IMAGE),
    (BootOutcome.HANGS, "where there is no RAM", Verdict.BAD_IMAGE),
    (BootOutcome.HANGS, "flash 0 begins with", Verdict.NO_IMAGE),
    (BootOutcome.HANGS, "wrong checksum, and there is no other image", Verdict.BAD_IMAGE),
    (BootOutcome.HANGS, "there is no other image to try", Verdict.NO_IMAGE),
    (BootOutcome.BOOT_LOOP, "the header says less than 1 MB", Verdict.TOO_SMALL_FLASH),
    (BootOutcome.BOOT_LOOP, "there is no partition table at 0x10000", Verdict.PARTITION_TABLE),
    (BootOutcome.HANGS, "stops at its partition table", Verdict.PARTITION_TABLE),
    # These say nothing that a log could show.
    (BootOutcome.HANGS, "no application at 0x1000", Verdict.UNFINISHED),
    (BootOutcome.HANGS, "raises an exception", Verdict.UNFINISHED),
    (BootOutcome.HANGS, "finds no application at", Verdict.UNFINISHED),
    (BootOutcome.HANGS, "is outside NodeMCU's list of sizes", Verdict.UNFINISHED),
    (BootOutcome.HANGS, "longer than the flash", Verdict.UNFINISHED),
)
# Of a boot that goes well: a line shows that the firmware runs, or it prints something of its own, or
# nothing.
GOING: Final = (Verdict.RUNS, Verdict.SPEAKS, Verdict.UNFINISHED)


def flash(
    image: bytes, size: int = MB, *, code: int | None = None, puts: dict[int, bytes] | None = None
) -> bytes:
    """An erased flash of ``size`` bytes with an image at 0, another size nibble, and more bytes."""
    content = bytearray(image.ljust(size, ERASED))
    if code is not None:
        content[3] = code << 4 | content[3] & 0xF
    for address, data in (puts or {}).items():
        content[address : address + len(data)] = data
    return bytes(content)


def recorded(run: BootRun) -> bytes:
    """The run at the rate of the ROM: what is sent at another one is noise."""
    return b"".join(
        event.text if event.baud == ROM_BAUD else b"\xfe\x82\xe0\x9b" * 8 + b"\r\n" for event in run.events
    )


def verdict_of(run: BootRun) -> Verdict:
    if run.outcome is BootOutcome.RUNNING:
        found = explain(b"".join(event.text for event in run.events)).verdict
        assert found in GOING
        return found
    fits = [verdict for outcome, words, verdict in REASONS if run.outcome is outcome and words in run.reason]
    assert fits, (run.outcome, run.reason)
    return fits[0]


def explained(content: bytes) -> Verdict:
    """The verdict on all logs that can be made of a boot; they must not contradict each other."""
    run = boot(content, ResetCause.EXTERNAL)
    logs = [recorded(run), b"".join(event.text for event in run.events)]
    if run.next_cause is not None:
        again = boot(content, run.next_cause)
        logs.append(recorded(run) + recorded(again) * 3)
    verdicts = {explain(log).verdict for log in logs}
    expected = verdict_of(run)

    # At the ROM's speed what would show that the firmware runs is noise.
    assert verdicts - {expected} <= ({Verdict.UNFINISHED} if expected in GOING else set()), (
        run.outcome,
        run.reason,
    )
    return expected


BOOTABLE: Final = [name for name, data in IMAGES.items() if data[:1] in b"\xe9\xea" or len(data) >= WHOLE]


@pytest.mark.parametrize("name", BOOTABLE)
def test_explain_agrees_with_the_boot_of_every_image(name: str) -> None:
    image = IMAGES[name]

    assert explained(image if len(image) >= WHOLE else flash(image)) in Verdict


class Case(NamedTuple):
    """A flash and its verdict, told by hand."""

    name: str
    flash: bytes
    verdict: Verdict


SAMPLE: Final = aggregate("sample")
CHECKSUM: Final = len(IMAGES["sample/0x00000.bin"]) - 1
NODEMCU_3: Final = aggregate("nodemcu-3.0-2021")
USED: Final = IMAGES["dumps/nodemcu-3-used-4m.bin"]
TWO_SLOTS: Final = IMAGES["dumps/sdk-boot-2-slots-1m.bin"]
HEAD: Final = ((101, 0, 0xB000), (4, 0xD000, 0x1000), (5, 0xF000, 0x1000), (102, PAGE, 0))

CASES: Final = [
    Case("first boot", flash(SAMPLE), Verdict.RUNS),
    Case("init data", flash(SAMPLE, puts={0xFC000: SETS["v05"]}), Verdict.RUNS),
    Case("erased", ERASED * MB, Verdict.NO_IMAGE),
    Case("zeros", bytes(MB), Verdict.NO_IMAGE),
    Case("empty", b"", Verdict.NO_IMAGE),
    Case("at another address", flash(b"", puts={0x1000: SAMPLE}), Verdict.NO_IMAGE),
    Case("user image at 0", flash(IMAGES["v2/user1.bin"]), Verdict.NO_IMAGE),
    Case("flipped data", flash(flipped(SAMPLE, 0x200)), Verdict.BAD_IMAGE),
    Case("flipped checksum", flash(flipped(SAMPLE, CHECKSUM)), Verdict.BAD_IMAGE),
    Case("cut in a segment", flash(SAMPLE[:0x4000]), Verdict.BAD_IMAGE),
    Case("flipped load address", flash(flipped(SAMPLE, 11, 0x80)), Verdict.BAD_IMAGE),
    Case("garbage for init data", flash(SAMPLE, puts={0xFC000: b"\x30"}), Verdict.INIT_DATA),
    Case(
        "wrong size nibble",  # the header says 1 MB: files stand where the SDK looks
        flash(SAMPLE, 4 * MB, code=2, puts={0x3FC000: SETS["v05"], 0xFC000: bytes(16)}),
        Verdict.INIT_DATA,
    ),
    Case(
        "right size nibble",
        flash(SAMPLE, 4 * MB, code=4, puts={0x3FC000: SETS["v05"], 0xFC000: bytes(16)}),
        Verdict.RUNS,
    ),
    Case("init data in a loop of a loader", IMAGES["dumps/cut-4m-header.bin"], Verdict.INIT_DATA),
    Case("no slot", flash(IMAGES["boot/boot-1.6.bin"]), Verdict.NO_IMAGE),
    Case(
        "no slot, and a map without user2",
        flash(IMAGES["boot/boot-1.6-user1.bin"], code=1, puts={0x1000: ERASED * 16}),
        Verdict.NO_IMAGE,
    ),
    Case(
        "loader only says so",
        flash(IMAGES["boot/boot-1.6-user1.bin"], 4 * MB, code=1),
        Verdict.UNFINISHED,
    ),
    Case("second slot", TWO_SLOTS[:0x1000] + ERASED * 0x1000 + TWO_SLOTS[0x2000:], Verdict.UNFINISHED),
    Case("NodeMCU 3, first boot", flash(NODEMCU_3), Verdict.RUNS),
    Case("NodeMCU 3, used", USED, Verdict.RUNS),
    Case("NodeMCU 3, header of 512 KB", flash(NODEMCU_3, code=0), Verdict.TOO_SMALL_FLASH),
    Case("NodeMCU 3, unknown size", flash(NODEMCU_3, code=10), Verdict.UNFINISHED),
    Case("NodeMCU 3, no table", flash(NODEMCU_3, puts={PAGE: ERASED * 0x1000}), Verdict.PARTITION_TABLE),
    Case(
        "NodeMCU 3, table behind the end",
        flash(NODEMCU_3, puts={PAGE: table_page(*HEAD, (106, 0x100000, 0x1000), (0, 0x40230000, 0))}),
        Verdict.PARTITION_TABLE,
    ),
    Case(
        "NodeMCU 3, table without a place",
        flash(NODEMCU_3, puts={PAGE: table_page(*HEAD[:3], (102, PAGE, 0x20000), (106, PAGE, 0x1000))}),
        Verdict.PARTITION_TABLE,
    ),
    Case("NodeMCU 3, init data lost", USED[:0xF000] + b"\x30" + USED[0xF001:], Verdict.INIT_DATA),
    Case("Arduino", IMAGES["dumps/arduino-4m.bin"], Verdict.UNFINISHED),
    Case("Arduino, no application", flash(IMAGES["broken/arduino-no-app.bin"]), Verdict.UNFINISHED),
    Case("seventeen segments", flash(IMAGES["broken/seventeen-segments.bin"]), Verdict.UNFINISHED),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_explain_agrees_with_the_boot(case: Case) -> None:
    assert explained(case.flash) is case.verdict


@pytest.mark.parametrize("cause", ResetCause)
@pytest.mark.parametrize(
    ("strap", "verdict"),
    [
        (0, Verdict.STRAPS),
        (1, Verdict.DOWNLOAD),
        (2, Verdict.STRAPS),
        (3, Verdict.UNFINISHED),
        *((strap, Verdict.STRAPS) for strap in (4, 5, 6, 7)),
    ],
)
def test_explain_reads_straps_and_cause(strap: int, verdict: Verdict, cause: ResetCause) -> None:
    result = explain(recorded(boot(flash(SAMPLE), cause, strap=strap)))
    (found,) = result.boots

    assert result.verdict is verdict
    assert found.cause is not None
    assert found.mode is not None
    assert (found.cause.code, found.mode.code) == (cause, strap)


@pytest.mark.parametrize("name", BOOTABLE)
def test_the_numbers_of_a_virtual_boot_are_consistent(name: str) -> None:
    image = IMAGES[name]
    run = boot(image if len(image) >= WHOLE else flash(image), ResetCause.EXTERNAL)

    assert all(segment.consistent for found in explain(run.text()).boots for segment in found.segments)
