"""Real NodeMCU rehearsed before a write: held against the same write made, against the advice, and damaged.

Needs a dump of the boot ROM and the real images; ``nox -s firmware``.  Of the damage that is made with a seed
a part is tried, all of it where IMGTOOL_ALL_DAMAGE is set.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

import pytest

from imgtool.chip import SECTOR
from imgtool.device.session import ConnectOptions
from imgtool.engine.inputs import FolderFile, InputFile
from imgtool.engine.jobs.advise import AdviseRequest, AdviseResult, advise
from imgtool.engine.jobs.flash import FlashRequest, flash
from imgtool.engine.jobs.virtual import rehearsal
from imgtool.engine.jobs.virtual.try_boot import TryRequest, try_boot
from imgtool.engine.verdicts import exit_code_of
from imgtool.errors import RehearsalError
from imgtool.formats.filesystems.stored_files import NewFile
from imgtool.operations.assemble.extras import InitDataSource
from imgtool.operations.assemble.fullimage import Extras, fullimage
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.flashing.draft import PlanRequest, Target
from imgtool.operations.flashing.plan import plan_flash
from tests.engine.jobs.boards import board
from tests.engine.jobs.boards import flash as content
from tests.oracle.firmware_console import needs_rom
from tests.oracle.firmware_files import FIRMWARE, FileConsole, image_of
from tests.support import BOOT_ROM, over, real

if TYPE_CHECKING:
    from imgtool.engine.jobs.virtual.try_boot import TryResult
    from imgtool.operations.flashing.plan import FlashPlan

pytestmark = [pytest.mark.long, needs_rom]

MB: Final = 1 << 20
SIZES: Final = {MB: "1MB", 4 * MB: "4MB"}
EXIT: Final = 8
SILENCE: Final = 250.0  # seconds of the chip, for one that formats
OWN: Final = (FolderFile("init.lua", b"print('from init')\n"), FolderFile("data.bin", bytes(range(256)) * 9))
FILES: Final = {b"a.lua": b"print('a')\n", b"data.bin": bytes(range(256)) * 9, b"page": bytes(251)}


@cache
def rom() -> InputFile:
    return InputFile("rom.bin", Path(BOOT_ROM).read_bytes())


def request(image: bytes, **more: object) -> FlashRequest:
    return FlashRequest(
        files=(InputFile("new.bin", image),),
        content=OWN,
        boot_check=False,
        rehearse=True,
        rom=rom(),
        connect=ConnectOptions(stub="imgtool"),
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    "name", ["nodemcu/nodemcu_integer_0.9.5_20150318.bin", "nodemcu/heikomat-firmware-lfs.bin"]
)
def test_the_firmware_finds_the_files_beforehand(name: str) -> None:
    wire = board(b"", "1MB")

    result = flash(wire, request(real(name)))

    assert result.rehearsal is not None
    assert "from init" in result.rehearsal.log
    (system,) = result.rehearsal.tried.file_systems
    assert {file.path: file.data for file in system.files} == {file.name: file.data for file in OWN}
    fields = result.document["results"][0]["rehearsal"]
    assert (fields["verdict"], fields["listed"], fields["ok"]) == ("runs", True, True)
    assert {file["path"] for file in fields["files"]} == {file.name for file in OWN}
    assert fields["read"]["bytes"] < MB // 8
    assert result.transfer is not None


def test_what_does_not_start_is_not_written() -> None:
    """Irom that is cut: the code runs into erased flash."""
    wire = board(b"", "1MB")
    image = real("nodemcu/heikomat-firmware-lfs.bin")
    cut = image[:0x30000] + b"\xff" * (len(image) - 0x30000)

    with pytest.raises(RehearsalError) as caught:
        flash(wire, replace(request(cut, force=frozenset({"damaged", "fit", "place"})), content=None))

    assert exit_code_of(caught.value) == EXIT
    assert content(wire, 0, MB) == b"\xff" * MB


# Held against the same write, made, and against the advice.


@cache
def used(name: str, size: int) -> bytes:
    """The flash of a board whose firmware has files, and has written one itself."""
    files = tuple(NewFile(file, data) for file, data in FILES.items())
    console = FileConsole(fullimage([Piece(0, image_of(name), name)], SIZES[size], Extras(files=files)).data)
    console.to_prompt(SILENCE)
    console.write_file(b"own.txt", b"written by itself")
    return console.flash


def planned(before: bytes, image: bytes, *, keep_files: bool = False) -> FlashPlan:
    """What ``imgtool flash`` would write."""
    target = Target("ESP8266EX", embedded=False, mac="", flash_id=b"", flash_bytes=len(before))
    asked = PlanRequest(
        (Piece(0, image, "new"),),
        init_data=InitDataSource(),
        keep_files=keep_files,
    )
    return plan_flash(asked, target, lambda address, size: before[address : address + size])


def written(before: bytes, plan: FlashPlan) -> bytes:
    return over(before, [(piece.address, piece.data) for piece in plan.pieces])


def slow(before: bytes, reads: list[int]) -> rehearsal.FlashBefore:
    """A flash at the end of a line, of which each read is noted."""

    def read(address: int, size: int) -> bytes:
        reads.append(size)
        return before[address : address + size]

    return rehearsal.FlashBefore(len(before), read, 921_600)


PAIRS: Final = [(old, new, MB) for old, new in product(FIRMWARE, FIRMWARE)]
LARGE: Final = [
    ("0.9.5", "3.0", 4 * MB),
    ("2.1", "3.0", 4 * MB),
    ("3.0", "3.0", 4 * MB),
    ("3.0", "2.1", 4 * MB),
]


@pytest.mark.parametrize("keep_files", [False, True])
@pytest.mark.parametrize(("old", "new", "size"), [*PAIRS, *LARGE])
def test_it_tells_what_comes_of_the_write(old: str, new: str, size: int, keep_files: bool) -> None:
    before, image = used(old, size), image_of(new)
    plan = planned(before, image, keep_files=keep_files)
    reads: list[int] = []

    found = rehearsal.rehearse(slow(before, reads), plan, rom(), lambda _: None)

    console = FileConsole(written(before, plan))
    said = console.to_prompt(SILENCE)
    assert found.ok == said.endswith(b"\n> ")
    assert found.tried.run.log.startswith(said)
    if not found.ok:
        return
    assert found.listed == console.listing()
    assert found.read == sum(reads) < max(size // 8, MB // 2)
    if keep_files:
        assert set(found.listed or ()) == {*FILES, b"own.txt"}
        rehearsal.check_rehearsed(found, plan.files)


@pytest.mark.parametrize("keep_files", [False, True])
@pytest.mark.parametrize(("old", "new", "size"), [*PAIRS, *LARGE])
def test_the_advice_agrees_with_the_firmware(old: str, new: str, size: int, keep_files: bool) -> None:
    found = advised(used(old, size), image_of(new), keep_files=keep_files)

    assert found.rehearsal is not None
    assert [point for point in found.held if not point.agrees] == []
    assert {"start", "files"} <= {point.topic for point in found.held}


def advised(before: bytes, image: bytes, *, keep_files: bool = False) -> AdviseResult:
    files = (InputFile("new.bin", image),)
    old = (InputFile("old.bin", before),)
    return advise(AdviseRequest(files=files, old=old, keep_files=keep_files, rehearse=True, rom=rom()))


# Damage, with a seed.

Damage = Callable[[bytes, str, Random], bytes]
_HEADER_SIZES: Final = (0, 1, 2, 3, 4)
_INIT: Final = {"0.9.5": 0x7C000, "2.1": 0xFC000, "3.0": 0xC000}


def other_size(flash_: bytes, _name: str, random: Random) -> bytes:
    """Another flash size in the header."""
    code = random.choice([code for code in _HEADER_SIZES if code != flash_[3] >> 4])
    return over(flash_, [(3, bytes([flash_[3] & 0x0F | code << 4]))])


def irom_cut(flash_: bytes, name: str, random: Random) -> bytes:
    """The end of the firmware is erased."""
    end = len(image_of(name)) & -0x1000
    start = random.randrange(0x11000, end, SECTOR)
    return over(flash_, [(start, b"\xff" * (end - start))])


def no_init_data(flash_: bytes, name: str, random: Random) -> bytes:
    """Init data is erased, or something else stands there."""
    places = (_INIT[name], len(flash_) - 0x4000)
    filler = random.choice((b"\xff", b"\0", b"\x55"))
    return over(flash_, [(place, filler * 128) for place in places])


def table_shifted(flash_: bytes, _name: str, random: Random) -> bytes:
    """NodeMCU's partition table stands some bytes further on; of older firmware that is its irom."""
    step = random.choice((4, 8, 16, 64))
    page = flash_[0x10000:0x11000]
    return over(flash_, [(0x10000, b"\xff" * step + page[:-step])])


def magic_lost(flash_: bytes, _name: str, random: Random) -> bytes:
    """Some blocks of the file system have lost their magics."""
    start = random.choice((0x65000, 0x66000, 0x68000, 0x7E000, 0x80000))
    count = random.choice((1, 2, 64))
    return over(flash_, [(start + 0x2000 * n + 0xFC, b"\xff\xff") for n in range(count)])


def bit_flip(flash_: bytes, name: str, random: Random) -> bytes:
    """A bit of the firmware is another."""
    place = random.randrange(8, len(image_of(name)))
    return over(flash_, [(place, bytes([flash_[place] ^ 1 << random.randrange(8)]))])


DAMAGES: Final[Mapping[str, Damage]] = {
    each.__name__: each for each in (other_size, irom_cut, no_init_data, table_shifted, magic_lost, bit_flip)
}
RELEASES: Final = ("0.9.5", "2.1", "3.0")
ALL: Final = 200
SOME: Final = 24  # of which those that hang take a minute each, as nothing is heard of them
SEEDS: Final = range(ALL if os.environ.get("IMGTOOL_ALL_DAMAGE") else SOME)
CHIP_SECONDS: Final = 300.0


def truth(flash_: bytes) -> TryResult:
    """A boot of all of a flash."""
    return try_boot(
        TryRequest(
            files=(InputFile("flash", flash_, 0),), rom=rom().data, rom_name="rom.bin", seconds=CHIP_SECONDS
        )
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_damage_is_stopped_if_and_only_if_it_does_not_boot(seed: int) -> None:
    """Judged as a boot of all that is then in the flash is, with the same words."""
    random = Random(seed)
    name = RELEASES[seed % len(RELEASES)]
    kind = list(DAMAGES)[seed // len(RELEASES) % len(DAMAGES)]
    before = used(name, MB)
    damaged = DAMAGES[kind](before, name, random)
    seen = truth(damaged)

    found = rehearsal.rehearse(slow(before, []), changed(before, damaged), rom(), lambda _: None)

    assert (found.ok, found.tried.explanation.verdict) == (seen.ok, seen.explanation.verdict)
    assert found.tried.explanation.cause == seen.explanation.cause
    assert found.tried.run.log == seen.run.log
    if seen.ok:
        rehearsal.check_rehearsed(found, None)
        return
    with pytest.raises(RehearsalError) as caught:
        rehearsal.check_rehearsed(found, None)
    notes = " ".join(map(str, caught.value.__notes__))
    assert seen.words.rows[0].text.rstrip(".") in notes
    assert not caught.value.line or caught.value.line in seen.log


def changed(before: bytes, after: bytes) -> FlashPlan:
    """A plan that writes the sectors in which a flash differs from another."""
    plan = planned(b"\xff" * len(after), image_of("3.0"))
    pieces = tuple(
        Piece(at, after[at : at + SECTOR], "damaged")
        for at in range(0, len(after), SECTOR)
        if after[at : at + SECTOR] != before[at : at + SECTOR]
    )
    return replace(plan, pieces=pieces, files=None, right=None)


@pytest.mark.parametrize("place", [0x40, 0x1234, 0x5000])
def test_a_damaged_image_is_stopped_before_a_board_is_touched(place: int) -> None:
    """The same through ``flash``: the check of the plan waived, the board as it was."""
    image, before = image_of("2.1"), used("3.0", MB)
    damaged = over(image, [(place, bytes([image[place] ^ 0x10]))])
    wire = board(before, "1MB")
    asked = request(damaged, force=frozenset({"damaged"}), lose=frozenset({"all"}))

    with pytest.raises(RehearsalError) as caught:
        flash(wire, replace(asked, content=None))

    assert caught.value.line == "csum err"
    assert content(wire, 0, MB) == before
