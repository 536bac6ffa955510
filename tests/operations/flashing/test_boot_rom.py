"""The boot ROM of a virtual chip, read: proved by its digest or by a second reading, on any line."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imgtool.chip import ROM_BASE, ROM_SIZE
from imgtool.errors import ChipError, LineError, PortError
from imgtool.operations.flashing.boot_rom import read_boot_rom
from imgtool.virtual.board.firmware_chip import FirmwareChip
from tests.device.boards import STUBS, connect, made_up_rom, rom_board
from tests.support import BOOT_ROM

if TYPE_CHECKING:
    from imgtool.device.events import Event
    from imgtool.operations.flashing.boot_rom import RomReading
    from imgtool.virtual.line.wire import SimWire

ROM = made_up_rom()
DIGEST = hashlib.sha256(ROM).hexdigest()
# A word somewhere in the middle, and a bit of what the loader answers.
CHANGED = "flip=out:read-reg:5000+5.1"


class Run:
    """A reading, and what it said of itself."""

    def __init__(
        self, wire: SimWire, known: str = DIGEST, stub: str = "none", baud: int | None = None
    ) -> None:
        self.events: list[Event] = []
        session = connect(wire, stub, baud)
        start = wire.clock.monotonic()
        self.reading: RomReading = read_boot_rom(session, self.events.append, known=known)
        self.seconds = wire.clock.monotonic() - start

    @property
    def stages(self) -> list[str]:
        """The stages, each once where it comes several times in a row."""
        stages = [event.stage for event in self.events]
        return [stage for before, stage in zip(["", *stages], stages, strict=False) if stage != before]

    @property
    def retries(self) -> list[str]:
        return [event.message for event in self.events if event.stage == "retry"]


class FickleChip(FirmwareChip):
    """One word of its ROM comes out otherwise at some times.

    Attributes:
        wrong: At which reads of it, counted from 1.
    """

    wrong: tuple[int, ...] = ()
    reads = 0

    def read(self, address: int, size: int) -> int:
        value = super().read(address, size)
        if address != ROM_BASE + 0x4242 * 2:
            return value
        self.reads += 1
        return value ^ self.reads if self.reads in self.wrong else value


class OnceFickleChip(FickleChip):
    wrong = (2,)


class AlwaysFickleChip(FickleChip):
    wrong = tuple(range(1, 100))


def test_its_digest_proves_it() -> None:
    run = Run(rom_board(ROM))

    assert run.reading == (ROM, True)
    assert run.stages == ["read"]
    assert (run.events[-1].done, run.events[-1].total) == (ROM_SIZE, ROM_SIZE)


def also(*values: object) -> list[object]:
    """More values for a parameter, in the long run alone."""
    several = (value if isinstance(value, tuple) else (value,) for value in values)
    return [pytest.param(*each, marks=pytest.mark.long) for each in several]


@pytest.mark.long
@pytest.mark.parametrize("stub", STUBS)
def test_through_a_stub(stub: str) -> None:
    assert Run(rom_board(ROM), stub=stub).reading == (ROM, True)


def test_another_rom_is_read_twice() -> None:
    run = Run(rom_board(ROM), known="0" * 64)

    assert run.reading == (ROM, False)
    assert run.stages == ["read", "note", "verify"]


@pytest.mark.long
def test_a_word_that_comes_differently_the_second_time() -> None:
    run = Run(rom_board(ROM, kind=OnceFickleChip), known="0" * 64)

    assert run.reading == (ROM, False)
    assert run.retries == ["two readings of the 256 bytes at 0x40008400 differ"]


@pytest.mark.long
def test_a_word_that_comes_differently_every_time() -> None:
    with pytest.raises(LineError) as caught:
        Run(rom_board(ROM, kind=AlwaysFickleChip))

    assert caught.value.offset == ROM_BASE + 0x8400
    assert str(caught.value) == "256 bytes of the boot ROM come differently every time at offset 0x40008400"


@pytest.mark.parametrize(
    "fault", [CHANGED, *also("flip=in:read-reg:5000+10.4", f"{CHANGED},lose-reply=9000")]
)
def test_a_word_that_the_line_changes_is_found(fault: str) -> None:
    """The loader checks neither the request nor the answer."""
    run = Run(rom_board(ROM, fault))

    assert run.reading == (ROM, True)
    assert run.stages[:3] == ["read", "note", "verify"]
    assert len(run.retries) == 1


@pytest.mark.parametrize(
    "fault",
    [
        "garbage=20,insert=in:90000:c0",
        *also("lose-reply=5000", "drop=in:read-reg:5000+9", "drop=out:read-reg:5000+5", "seed=7:5"),
    ],
)
def test_what_is_lost_is_asked_for_again(fault: str) -> None:
    assert Run(rom_board(ROM, fault)).reading == (ROM, True)


def test_a_port_that_comes_back() -> None:
    run = Run(rom_board(ROM, "gone=in:read-reg:5000+5:2s"))

    assert run.reading == (ROM, True)
    assert len(run.retries) == 1
    done = [event.done for event in run.events if event.stage == "read"]
    assert done == sorted(set(done))  # it goes on where it was


def test_a_port_that_does_not() -> None:
    with pytest.raises(PortError):
        Run(rom_board(ROM, "gone=in:read-reg:5000+5:1000s"))


class SilentChip(FickleChip):
    """It hangs at one word, for good."""

    def read(self, address: int, size: int) -> int:
        value = super().read(address, size)
        if self.reads:
            self.uart.send = lambda *_, **__: 0  # type: ignore[method-assign]
        return value


def test_a_chip_that_falls_silent() -> None:
    with pytest.raises(ChipError, match="does not answer"):
        Run(rom_board(ROM, kind=SilentChip))


@pytest.mark.parametrize(("baud", "seconds"), [(115_200, 25.2), *also((460_800, 8.3), (921_600, 5.4))])
def test_how_long_it_takes(baud: int, seconds: float) -> None:
    """The modelled times that docs/virtual/boot-rom.md states."""
    assert Run(rom_board(ROM, baud=True), baud=baud).seconds == pytest.approx(seconds, rel=0.02)


@pytest.mark.skipif(not BOOT_ROM, reason="IMGTOOL_BOOT_ROM names no dump of the boot ROM")
def test_the_boot_rom_is_known() -> None:
    dump = Path(BOOT_ROM).read_bytes()
    session = connect(rom_board(dump))

    assert read_boot_rom(session) == (dump, True)
