from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgtool.flash_parts import flash_part
from imgtool.virtual.chip.nor import Disturbance, NorFlash, PowerCut
from imgtool.virtual.chip.spi import BASE, CYCLE, REGISTERS, SpiController
from imgtool.virtual.chip.store import MemoryStore

CMD, ADDR, CTRL, RD_STATUS = 0x00, 0x04, 0x08, 0x10
USER, USER1, USER2, WR_STATUS, W0 = 0x1C, 0x20, 0x24, 0x28, 0x40
READ, WREN, WRDI, RDID, RDSR, WRSR, PP, SE, BE, CE, DP, RES, HPM, USR = range(31, 17, -1)
MS = 1_000_000


class Driver:
    """What a host does with the registers; it polls until the bit is clear, then moves on in time."""

    def __init__(self, part: str = "W25Q32") -> None:
        row = flash_part(part)
        self.flash = NorFlash(row, MemoryStore(row.bytes))
        self.spi = SpiController(self.flash)
        self.now = 0

    def set(self, offset: int, value: int) -> None:
        self.spi.write(offset, value, self.now)

    def get(self, offset: int) -> int:
        return self.spi.read(offset, self.now)

    def run(self, bit: int) -> int:
        """Start a command, wait for it, and give the time that it took."""
        start = self.now
        self.set(CMD, 1 << bit)
        assert self.get(CMD) == 1 << bit
        self.now = self.spi.ready_at - 1
        assert self.get(CMD) == 1 << bit
        self.now += 1
        assert self.get(CMD) == 0
        return self.now - start

    def wait(self) -> None:
        """Poll the status of the flash, as a driver has to."""
        self.run(RDSR)
        if self.get(RD_STATUS) & 1:
            self.now = self.flash.busy_until
            self.run(RDSR)
        assert self.get(RD_STATUS) & 1 == 0

    def user(
        self,
        opcode: int,
        *,
        address: int = 0,
        address_bits: int = 0,
        dummy: int = 0,
        mosi: bytes = b"",
        miso: int = 0,
    ) -> int:
        """A user command as a flasher sends it by WRITE_REG; ``miso`` in bits."""
        phases = (1 << 31, address_bits and 1 << 30, dummy and 1 << 29, miso and 1 << 28, mosi and 1 << 27)
        self.set(USER, sum(int(phase) for phase in phases if phase))
        lengths = ((miso, 8), (8 * len(mosi), 17), (address_bits, 26), (dummy, 0))
        self.set(USER1, sum(bits - 1 << shift for bits, shift in lengths if bits))
        self.set(USER2, 7 << 28 | opcode)
        if address_bits:
            self.set(ADDR, address << 32 - address_bits & 0xFFFFFFFF)
        self.set(W0, 0)
        for start in range(0, len(mosi), 4):
            self.set(W0 + start, int.from_bytes(mosi[start : start + 4], "little"))
        self.run(USR)
        return self.get(W0)

    def words(self, count: int) -> bytes:
        return b"".join(self.get(W0 + 4 * number).to_bytes(4, "little") for number in range(count))


def test_register_map() -> None:
    assert BASE == 0x60000200
    assert (REGISTERS["CMD"], REGISTERS["USER2"], REGISTERS["W15"], REGISTERS["EXT3"]) == (
        0,
        0x24,
        0x7C,
        0xFC,
    )


@pytest.mark.parametrize("name", [name for name in REGISTERS if name != "CMD"])
def test_register_reads_back(name: str) -> None:
    driver = Driver()
    first = {"USER": 0x8000_0040, "USER2": 0x7000_0000}.get(name, 0)
    assert driver.get(REGISTERS[name]) == first

    driver.set(REGISTERS[name], 0x1_89AB_CDEF)

    assert driver.get(REGISTERS[name]) == 0x89ABCDEF
    driver.spi.reset()
    assert driver.get(REGISTERS[name]) == first


@pytest.mark.parametrize("offset", [0x80, 0xEC, 0x100, 0x02, 0x41, -4])
def test_no_such_register(offset: int) -> None:
    driver = Driver()

    with pytest.raises(KeyError):
        driver.get(offset)
    with pytest.raises(KeyError):
        driver.set(offset, 0)


def test_read_id() -> None:
    driver = Driver()

    assert driver.run(RDID) == 4 * 8 * CYCLE
    assert driver.get(W0) == 0x1640EF


def test_read_id_before_the_pins_are_switched() -> None:
    driver = Driver()
    driver.flash.attached = False

    driver.run(RDID)

    assert driver.get(W0) == 0xFFFFFF


def test_ready_made_commands_take_the_low_bits_of_addr() -> None:
    driver = Driver()
    driver.set(W0, 0x64636261)
    driver.set(W0 + 4, 0x68676665)
    driver.run(WREN)
    driver.set(ADDR, 6 << 24 | 0x123456)

    assert driver.run(PP) == 10 * 8 * CYCLE
    driver.wait()
    driver.set(W0, 0)
    driver.set(W0 + 4, 0)
    driver.set(ADDR, 5 << 24 | 0x123457)
    assert driver.run(READ) == 9 * 8 * CYCLE

    assert driver.words(2) == b"bcdef\0\0\0"
    assert driver.flash.violations == []


@pytest.mark.parametrize(
    ("bit", "size", "time"), [(SE, 0x1000, 45 * MS), (BE, 0x10000, 150 * MS), (CE, 0x400000, 10_000 * MS)]
)
def test_erase(bit: int, size: int, time: int) -> None:
    driver = Driver()
    driver.now = driver.flash.program(0, 0x210000, bytes(0x20000))
    driver.set(ADDR, 0xFF210000)

    driver.run(WREN)
    driver.run(bit)
    # The command is sent; the flash goes on by itself.
    assert driver.flash.busy_until == driver.now + time
    driver.wait()

    erased = min(size, 0x20000)
    assert driver.flash.read(0x210000, 0x20000) == b"\xff" * erased + bytes(0x20000 - erased)


def test_erase_without_write_enable_is_ignored() -> None:
    driver = Driver()

    driver.run(SE)

    assert [violation.kind for violation in driver.flash.violations] == ["no write enable"]


def test_write_enable_and_disable_show_in_the_status() -> None:
    driver = Driver()
    driver.set(RD_STATUS, 0xABCD0000)

    driver.run(WREN)
    driver.run(RDSR)
    assert driver.get(RD_STATUS) == 0xABCD0002
    driver.run(WRDI)
    driver.run(RDSR)
    assert driver.get(RD_STATUS) == 0xABCD0000


@pytest.mark.parametrize(("control", "second"), [(0, 0), (1 << 22, 0x02)])
def test_write_status(control: int, second: int) -> None:
    driver = Driver()
    driver.set(CTRL, control)
    driver.run(WREN)
    driver.set(RD_STATUS, 0x021C)

    driver.run(WRSR)
    driver.wait()

    assert driver.get(RD_STATUS) & 0xFF == 0x1C
    assert driver.flash.status(2, driver.now) == second


def test_power_down_and_release() -> None:
    driver = Driver()

    driver.run(DP)
    driver.run(RDID)
    assert driver.get(W0) == 0xFFFFFF
    driver.run(RES)
    assert driver.get(W0) == 0x15
    driver.run(HPM)
    driver.run(RDID)
    assert driver.get(W0) == 0x1640EF


READ_MODES = [
    (0, (1 + 3 + 16) * 8),
    (1 << 24, (1 + 3 + 16) * 8),  # the mode bits count only with fast read
    (1 << 13, (1 + 3 + 1 + 16) * 8),
    (1 << 13 | 1 << 14, (1 + 3 + 1 + 8) * 8),
    (1 << 13 | 1 << 20, (1 + 3 + 1 + 4) * 8),
    (1 << 13 | 1 << 23, 8 + 12 + 4 + 64),
    (1 << 13 | 1 << 24, 8 + 6 + 6 + 32),
]


@pytest.mark.parametrize(("control", "cycles"), READ_MODES)
def test_read_modes(control: int, cycles: int) -> None:
    driver = Driver()
    driver.now = driver.flash.program(0, 0x1000, b"sixteen bytes it")
    driver.set(CTRL, control)
    driver.set(ADDR, 16 << 24 | 0x1000)

    assert driver.run(READ) == cycles * CYCLE
    assert driver.words(4) == b"sixteen bytes it"


def test_no_more_than_the_buffer() -> None:
    driver = Driver()
    driver.set(W0, 0xFFFFFFFF)
    driver.run(WREN)
    driver.set(ADDR, 200 << 24)
    driver.run(PP)
    driver.wait()
    driver.run(READ)

    assert driver.words(16) == b"\xff" * 4 + bytes(60)
    assert driver.flash.read(64, 4) == b"\xff" * 4


def test_a_command_behind_another_starts_after_it() -> None:
    driver = Driver()

    driver.set(CMD, 1 << RDID)
    driver.set(CMD, 1 << RDSR)

    assert driver.get(CMD) == 1 << RDID | 1 << RDSR
    assert driver.spi.ready_at == (4 + 2) * 8 * CYCLE


# User commands.


def test_user_read_id() -> None:
    driver = Driver()

    assert driver.user(0x9F, miso=24) == 0x1640EF
    assert driver.now == (8 + 24) * CYCLE


def test_user_commands_take_the_top_bits_of_addr() -> None:
    driver = Driver()

    assert driver.user(0x5A, address=0, address_bits=24, dummy=8, miso=32) == int.from_bytes(
        b"SFDP", "little"
    )
    assert driver.user(0x5A, address=0x30, address_bits=24, dummy=8, miso=8) == 0xE5
    driver.set(ADDR, 0x30)  # the low bits, as for a ready-made command, are another address
    driver.run(USR)
    assert driver.get(W0) & 0xFF == ord("S")


def test_user_dummies_that_are_no_byte_shift_by_bits() -> None:
    driver = Driver()

    assert driver.user(0x9F, dummy=4, miso=8) == (0xEF40 >> 4) & 0xFF


def test_user_receive_that_is_no_byte_has_its_bits_at_the_top() -> None:
    assert Driver().user(0x9F, miso=12) == 0x40EF & 0xF0FF


def test_user_status_registers() -> None:
    driver = Driver()

    driver.user(0x06)
    assert driver.user(0x05, miso=8) == 0x02
    driver.user(0x01, mosi=b"\x18\x02")
    driver.wait()

    assert driver.user(0x05, miso=8) == 0x18
    assert driver.user(0x35, miso=8) == 0x02
    assert driver.flash.violations == []


def test_user_program_and_read_of_a_whole_buffer() -> None:
    driver = Driver()
    data = bytes(range(1, 65))

    driver.user(0x06)
    driver.user(0x02, address=0x3FF000, address_bits=24, mosi=data)
    driver.wait()
    driver.user(0x03, address=0x3FF000, address_bits=24, miso=512)

    assert driver.words(16) == data


def test_user_high_part_of_the_buffer() -> None:
    driver = Driver()
    driver.flash.program(0, 0, b"high")
    driver.now = 10 * MS
    driver.set(USER, 1 << 31 | 1 << 28 | 1 << 27 | 1 << 25 | 1 << 24)
    driver.set(USER1, 23 << 17 | 31 << 8)  # the address as data
    driver.set(USER2, 7 << 28 | 0x03)

    driver.run(USR)

    assert driver.words(16) == bytes(32) + b"high" + bytes(28)


def test_user_opcode_of_two_bytes_and_long_address() -> None:
    driver = Driver()
    driver.now = driver.flash.program(0, 0x3456, b"12")
    driver.set(USER, 1 << 31 | 1 << 30 | 1 << 28)
    driver.set(USER1, 15 << 26 | 15 << 8)
    driver.set(USER2, 15 << 28 | 0x00 << 8 | 0x03)  # low byte first: 03, then 00 of the address
    driver.set(ADDR, 0x3456 << 16)
    driver.run(USR)
    assert driver.get(W0) == 0x3231

    driver.set(USER, 1 << 30 | 1 << 28)
    driver.set(USER1, 39 << 26 | 15 << 8)
    driver.set(ADDR, 0x0B003456)
    driver.set(WR_STATUS, 0)  # the last eight bits of forty
    driver.run(USR)
    assert driver.get(W0) == 0x3231


def test_user_reset() -> None:
    driver = Driver()
    driver.user(0x06)

    driver.user(0x66)
    driver.user(0x99)
    driver.wait()

    assert driver.get(RD_STATUS) & 2 == 0
    assert driver.flash.violations == []


def test_power_cut_goes_through() -> None:
    driver = Driver()
    driver.flash.disturb = lambda _: Disturbance(cut=0.5)
    driver.run(WREN)

    with pytest.raises(PowerCut):
        driver.set(CMD, 1 << SE)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 0x3FFFFF), st.binary(min_size=1, max_size=64))
def test_law_both_ways_of_programming_agree(address: int, data: bytes) -> None:
    user, ready_made = Driver(), Driver()
    for driver in (user, ready_made):
        driver.run(WREN)

    user.user(0x02, address=address, address_bits=24, mosi=data)
    for start in range(0, len(data), 4):
        ready_made.set(W0 + start, int.from_bytes(data[start : start + 4], "little"))
    ready_made.set(ADDR, len(data) << 24 | address)
    ready_made.run(PP)

    page = address & ~0xFF
    assert user.flash.read(page, 256) == ready_made.flash.read(page, 256)
    assert user.now == ready_made.now
