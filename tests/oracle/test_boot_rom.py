"""The boot ROM itself, executed: imgtool's stand-in answers the same, and its host gets on with it.

Needs a dump of the ROM, ``IMGTOOL_BOOT_ROM``; ``nox -s rom`` runs all of it, minutes.  What is not compared,
and why, is said in docs/virtual/boot-rom.md.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import chain

import pytest

from imgtool.chip import ROM_BASE
from imgtool.device.session import ConnectOptions, Session
from imgtool.flash_parts import default_part
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.flashing.transfer import Job, erase, read_flash, read_memory, transfer, verify
from imgtool.operations.proof.observations import prove_stub
from imgtool.virtual.chip.machine import Setup, VirtualChip
from imgtool.virtual.line.wire import SimWire
from tests.device.boards import needs_stub
from tests.oracle.boot_images import BootBench, chosen
from tests.oracle.boot_images import at_random as random_images
from tests.oracle.boot_rom import VARIABLE, RomChip, boot_rom
from tests.oracle.loader_requests import Answer, Bench, at_random, endings, leaves, systematic
from tests.oracle.rom_functions import NAMES, calls, in_the_model, in_the_rom

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not boot_rom(), reason=f"{VARIABLE} does not name a dump of the boot ROM"),
]

SEEDS, REQUESTS = 11, 1000
IMAGES = 200


def compared(sequences: Iterable[Iterable[bytes]], size: int = 0x40_0000) -> int:
    """Ask both the same, each sequence after a reset; how many requests there were."""
    rom, model = Bench(RomChip, size), Bench(VirtualChip, size)
    different: list[tuple[str, Answer, Answer]] = []
    asked = 0
    for sequence in sequences:
        for bench in (rom, model):
            bench.start_again()
        for sent in sequence:
            observed, answer = rom.ask(sent), model.ask(sent)
            asked += 1
            if observed != answer:
                different.append((sent.hex(), observed, answer))
            if leaves(sent) or not (observed.alive and answer.alive):
                rom.start_again()
                model.start_again()
    assert different == []
    assert rom.content == model.content
    return asked


def test_every_request_by_itself() -> None:
    assert compared([systematic()]) > 600


def test_how_the_loader_is_left() -> None:
    assert compared(endings()) > 30


@pytest.mark.parametrize("size", [0x8_0000, 0x100_0000])
def test_another_flash(size: int) -> None:
    """The ROM takes any flash for one of 4 MB until it is told."""
    assert compared([chain(systematic(), at_random(random.Random(size), 300))], size) > 900


@pytest.mark.parametrize("seed", range(SEEDS))
def test_requests_at_random(seed: int) -> None:
    assert compared([at_random(random.Random(100 + seed), REQUESTS)]) > 0.95 * REQUESTS


def test_boots() -> None:
    rom, model = BootBench(RomChip), BootBench(VirtualChip)
    images = [*chosen(), *random_images(random.Random(7), IMAGES)]
    different = [
        (image.hex(), said, modelled)
        for image in images
        if (said := rom.says(image)) != (modelled := model.says(image))
    ]
    assert different == []


@pytest.mark.parametrize("name", NAMES)
def test_functions(name: str) -> None:
    rom, model = RomChip(Setup()), VirtualChip(Setup())
    rom.power_on(download=True)
    rom.run()
    different = [
        (call, found, modelled)
        for call in calls(name, random.Random(name), 200)
        if (found := in_the_rom(rom, call)) != (modelled := in_the_model(model, call))
    ]
    assert different == []


STUBS = ["imgtool", pytest.param("espressif", marks=needs_stub), "none"]


@pytest.mark.parametrize(("size", "at"), [(0x10_0000, 0x3000), (0x100_0000, 0x3F_F000)])
@pytest.mark.parametrize("stub", STUBS)
def test_the_host_on_the_rom(stub: str, size: int, at: int) -> None:
    """Identify, upload a stub, write across 4 MB, verify, read and erase: what a user does with a board."""
    chip = RomChip(Setup(part=default_part(size)))
    data = random.Random(1).randbytes(0x1800)
    piece = Piece(at, data, "random")
    with Session.connect(SimWire(chip), ConnectOptions(stub=stub, baud=460_800)) as session:
        done = transfer(session, Job((piece,), verify="readback"))
        assert session.flash.bytes == size
        assert chip.flash.read(at, 0x2000) == data.ljust(0x2000, b"\xff")
        assert (done.retries, done.baud) == (0, 460_800)
        assert verify(session, (piece,)) == ()
        assert read_flash(session, at, 0x400) == data[:0x400]
        erase(session, at, 0x1000)
        assert chip.flash.read(at, 0x2000) == b"\xff" * 0x1000 + data[0x1000:].ljust(0x1000, b"\xff")
    assert not chip.traps


def test_what_is_assumed_of_our_stub_on_the_rom() -> None:
    """All of it holds but the time of a page, as the model knows none for the ROM's pieces of 32 bytes."""
    chip = RomChip(Setup(part=default_part(0x10_0000)))
    with Session.connect(SimWire(chip), ConnectOptions(stub="none")) as session:
        proof = prove_stub(session)
    assert {found.name for found in proof.observations if not found.holds} == {"page-program"}
    assert len(proof.observations) > 30
    assert not chip.traps


@pytest.mark.parametrize("baud", [115_200, 921_600])
def test_the_rom_gives_out_itself(baud: int) -> None:
    """Words are asked for ahead, and it loses none of the requests."""
    wire = SimWire(RomChip(Setup()))
    session = Session.connect(wire, ConnectOptions(stub="none", baud=baud))
    settles: list[None] = []
    settle = session.link.settle

    def counted() -> None:
        settles.append(None)
        settle()

    session.link.settle = counted  # type: ignore[method-assign]
    for start in (0, 0xC000):
        words = read_memory(session, ROM_BASE + start, 0x1000)
        assert words == boot_rom()[start : start + 0x1000]
    assert (session.baud, settles, wire.chip.uart.overflows) == (baud, [], 0)
