"""The boot ROM itself, executed, and what imgtool has in its place: asked the same, they answer the same.

Needs a dump of the ROM, ``IMGTOOL_BOOT_ROM``; ``nox -s rom`` runs all of it, minutes.  What is not compared,
and why, is said in docs/virtual/boot-rom.md.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import chain

import pytest

from imgtool.virtual.chip.machine import VirtualChip
from tests.oracle.boot_images import BootBench, chosen
from tests.oracle.boot_images import at_random as random_images
from tests.oracle.boot_rom import VARIABLE, RomChip, boot_rom
from tests.oracle.loader_requests import Answer, Bench, at_random, endings, leaves, systematic

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
