"""Words of memory that are asked for before the first has come, and what becomes of them on a bad line."""

from __future__ import annotations

import pytest

from imgtool.errors import ChipError
from imgtool.virtual.chip.uart import FIFO_SIZE
from tests.device.boards import STUBS, connect, made_up_rom, rom_board

BASE = 0x4000_0000
SIZE = 0x400
WORDS = [int.from_bytes(made_up_rom()[at : at + 4], "little") for at in range(0, SIZE, 4)]
PLACES = range(BASE, BASE + SIZE, 4)
WAYS = [*STUBS, "none"]


@pytest.mark.parametrize("way", WAYS)
def test_words_come_in_their_order(way: str) -> None:
    session = connect(rom_board(made_up_rom()), way)

    assert session.link.read_registers(PLACES, session.flasher.ahead) == WORDS


@pytest.mark.parametrize("ahead", [1, 2, 7])
def test_more_under_way_takes_less_time(ahead: int) -> None:
    session = connect(rom_board(made_up_rom()))
    clock = session.wire.clock
    starts = []
    for number in (ahead, ahead + 1):
        starts.append(clock.monotonic())
        assert session.link.read_registers(PLACES, number) == WORDS
    first, second = starts[1] - starts[0], clock.monotonic() - starts[1]

    assert second < first


def test_what_the_rom_loader_is_sent_fits_into_its_fifo() -> None:
    """So none of it is lost, whatever the loader is doing."""
    wire = rom_board(made_up_rom())
    session = connect(wire)
    sent: list[int] = []
    write = wire.write

    def counted(data: bytes) -> None:
        sent.append(len(data))
        write(data)

    wire.write = counted  # type: ignore[method-assign]
    # Two of the four bytes of such an address are escaped.
    session.link.read_registers([BASE + 0xC0C0] * 50, session.flasher.ahead)

    assert sent == [16] * 50
    assert 16 * session.flasher.ahead <= FIFO_SIZE
    assert wire.chip.uart.overflows == 0


@pytest.mark.parametrize(
    "fault",
    [
        "lose-reply=60",
        "drop=out:read-reg:60+6",
        "flip=in:read-reg:60+3.0",
        "insert=out:read-reg:60+6:c0",
    ],
)
def test_what_is_lost_is_asked_for_again(fault: str) -> None:
    session = connect(rom_board(made_up_rom(), fault))

    assert session.link.read_registers(PLACES, 7) == WORDS


def test_a_loss_is_seen_by_the_last_answer_that_is_missing() -> None:
    """Until then nothing tells which answer it was: all words come again."""
    wire = rom_board(made_up_rom(), "lose-reply=60")
    session = connect(wire)
    before = wire.link.to_chip.frames

    assert session.link.read_registers(PLACES, 7) == WORDS
    assert wire.link.to_chip.frames - before == 2 * len(WORDS)


def test_a_chip_that_falls_silent() -> None:
    """Nothing is at the second address, so the loader faults."""
    session = connect(rom_board(made_up_rom()))

    with pytest.raises(ChipError):
        session.link.read_registers([BASE, 0x0000_1000, BASE + 4], 7)
