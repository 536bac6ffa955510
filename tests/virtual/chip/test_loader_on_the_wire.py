"""The ROM loader at wire level, by a host that shares no code with it (tests/rom_host.py).

What it answers to each single request is held to the boot ROM itself by test_boot_rom_observations.py.  Here
is what that leaves out: other flashes, registers, programs, time.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import pytest

from imgtool.virtual.chip.machine import Activity
from tests.rom_host import (
    FLASH_BEGIN,
    FLASH_DATA,
    FLASH_END,
    MEM_BEGIN,
    MEM_DATA,
    MEM_END,
    OK,
    READ_REG,
    SPI_SET_PARAMS,
    SYNC,
    SYNC_REPLY,
    WRITE_REG,
    Reply,
    RomHost,
    data_request,
    request,
    words,
)
from tests.support import IMAGES

BAD_MESSAGE, WRONG_RESULT, BAD_CHECKSUM, BAD_WRITE = (bytes([1, code]) for code in (5, 6, 7, 8))
SYNC_VALUE = 0x2012_0707
SECTOR = 4096
IRAM, DRAM = 0x4010_0000, 0x3FFE_8000
SPI = 0x6000_0200


@pytest.fixture
def host() -> Iterator[RomHost]:
    with RomHost() as made:
        made.sync()
        yield made


def dirty(host: RomHost) -> None:
    """Make all of the flash zeros, as nothing over the line could so quickly."""
    store = host.chip.setup.store
    assert store is not None
    store.write(0, bytes(store.size))


def content(host: RomHost, address: int = 0, size: int = 0x10_0000) -> bytes:
    store = host.chip.setup.store
    assert store is not None
    return store.read(address, size)


# Framing and SYNC.


@pytest.mark.parametrize("baud", [9600, 74880, 115200, 230400, 460800, 921600])
def test_sync(baud: int) -> None:
    with RomHost(baud=baud) as host:
        host.sync()
        host.sync()  # and again


def test_several_syncs_at_once(host: RomHost) -> None:
    host.port.write(SYNC * 3)
    assert host.hear() == SYNC_REPLY * 24


def test_a_packet_has_a_delimiter_of_its_own_before_it(host: RomHost) -> None:
    host.port.write(b"\x07\x12" + SYNC + SYNC[1:] + b"\xff\xff" + SYNC)
    # The second one's end is taken for a beginning, and what stands before the next delimiter for a request.
    assert host.hear() == SYNC_REPLY * 8 + SYNC_REPLY.replace(b"\x00\x00\xc0", b"\x01\x05\xc0") * 8


def test_unknown_opcodes_are_refused_with_the_opcode_before(host: RomHost) -> None:
    """Among them those of the flasher stub, and the question for security information."""
    assert host.talk(request(0x14)) == [Reply(0x08, SYNC_VALUE, BAD_MESSAGE)] * 8
    host.register(0x4000_1000)
    for opcode in (0, 1, *range(12, 256)):
        assert host.talk(request(opcode)) == [Reply(READ_REG, 0xFFF0_C101, BAD_MESSAGE)]


def test_frames_in_pieces(host: RomHost) -> None:
    for byte in request(READ_REG, words(0x4000_1000)):
        host.port.write(bytes([byte]))
        host.port.clock.sleep(0.3)
    assert host.talk() == [Reply(READ_REG, 0xFFF0_C101, OK)]


# FLASH_*


def test_flash(host: RomHost) -> None:
    dirty(host)
    data = random.Random(1).randbytes(3 * 1024)
    assert host.ask(FLASH_BEGIN, words(SECTOR, 3, 1024, 0x1F000)).status == OK
    # The quirk: one sector more than asked for where a block of 64 KiB begins right behind.
    assert content(host) == bytes(0x1F000) + b"\xff" * 0x2000 + bytes(0xDF000)
    for number in range(3):
        piece = data[number * 1024 : (number + 1) * 1024]
        assert host.put(FLASH_DATA, piece, number) == OK
    assert content(host, 0x1F000, 0x2000) == data + b"\xff" * (0x2000 - len(data))


def test_special_bytes_in_data(host: RomHost) -> None:
    data = b"\xc0\xdb\xdc\xdd" * 16
    assert host.ask(FLASH_BEGIN, words(64, 1, 64, 0)).status == OK
    assert host.put(FLASH_DATA, data, 0) == OK
    assert content(host, 0, 64) == data


@pytest.mark.parametrize("opcode", [FLASH_DATA, MEM_DATA])
def test_a_wrong_checksum(host: RomHost, opcode: int) -> None:
    address = 0 if opcode == FLASH_DATA else DRAM
    assert host.ask(opcode - 2 if opcode == MEM_DATA else FLASH_BEGIN, words(64, 1, 64, address)).status == OK
    good = data_request(opcode, b"some data...", 0)
    bad = good[:5] + bytes([good[5] ^ 0x01]) + good[6:]
    (refused,) = host.talk(bad)
    assert refused.status == BAD_CHECKSUM
    assert content(host, 0, 12) == b"\xff" * 12
    # It was counted all the same: sent again, it is refused for its number.
    (refused,) = host.talk(good)
    assert refused.status == BAD_MESSAGE
    # Of a status that tells success, the second byte is the last refusal's.
    assert host.put(opcode, b"more data...", 1) == b"\x00\x05"


def test_only_the_low_byte_of_the_checksum_counts(host: RomHost) -> None:
    host.ask(MEM_BEGIN, words(4, 1, 4, DRAM))
    check = 0xEF ^ 1 ^ 2 ^ 3 ^ 4 | 0xABCDEF00
    assert host.ask(MEM_DATA, words(4, 0, 0, 0) + b"\x01\x02\x03\x04", check).status == OK


def test_what_cannot_be_programmed_is_noticed(host: RomHost) -> None:
    """Nothing is erased for size 0, so only bits that are 1 can become 0."""
    assert host.ask(FLASH_BEGIN, words(0, 1, 16, 0)).status == OK
    assert host.put(FLASH_DATA, b"\x0f" * 16, 0) == OK
    assert host.ask(FLASH_BEGIN, words(0, 1, 16, 0)).status == OK
    assert host.put(FLASH_DATA, b"\xf0" + b"\x0f" * 15, 0) == BAD_WRITE


def test_the_rom_believes_in_4_mb_until_it_is_told() -> None:
    with RomHost("sim:16MB") as host:
        host.sync()
        assert host.ask(FLASH_BEGIN, words(SECTOR, 1, 64, 0x40_1000)).status == WRONG_RESULT
        # At the end itself nothing is refused, and nothing done.
        assert host.ask(FLASH_BEGIN, words(0, 1, 64, 0x40_0000)).status[0] == 0
        assert host.put(FLASH_DATA, bytes(64), 0)[0] == 0
        assert content(host, 0x40_0000, 64) == b"\xff" * 64
        known = words(0, 0x100_0000, 0x1_0000, SECTOR, 256, 0xFFFF)
        assert host.ask(SPI_SET_PARAMS, known).status[0] == 0
        assert host.ask(FLASH_BEGIN, words(SECTOR, 1, 64, 0x40_1000)).status[0] == 0
        assert host.put(FLASH_DATA, bytes(64), 0)[0] == 0
        assert content(host, 0x40_1000, 64) == bytes(64)


def test_what_lies_beyond_the_size_that_was_told_is_left_alone(host: RomHost) -> None:
    dirty(host)
    host.ask(SPI_SET_PARAMS, words(0, 0x8_0000, 0x1_0000, SECTOR, 256, 0xFFFF))
    for size, offset in ((SECTOR, 0x8_0000), (2 * SECTOR, 0x7_F000), (0, 0x1001)):
        assert host.ask(FLASH_BEGIN, words(size, 1, 1024, offset)).status == WRONG_RESULT
    assert content(host) == bytes(0x10_0000)


def test_a_begin_clears_the_status_registers() -> None:
    """All of them, also where nothing is erased: protection, and the bit that switches on quad reads."""
    with RomHost() as host:
        host.sync()
        host.chip.flash.protect()
        host.ask(FLASH_BEGIN, words(0, 0, 1024, 0))
        later = host.chip.flash.busy_until
        assert [host.chip.flash.status(register, later) for register in (1, 2)] == [0, 0]


def quirk(start: int, count: int) -> int:
    """Sectors that the ROM erases: N + min(head, N), head up to the next 64 KiB (esptool issue 33)."""
    return count + min(16 - start % 16, count)


@pytest.mark.parametrize("start", [0, 1, 7, 8, 14, 15, 16, 17, 31, 33])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 9, 15, 16, 17, 32, 40, 64])
def test_the_rom_erases_more_than_asked(start: int, count: int) -> None:
    with RomHost() as host:
        host.sync()
        dirty(host)
        # Bytes up to the end of a sector are whole sectors.
        asked = words(count * SECTOR - 100, 1, 1024, start * SECTOR)
        assert host.ask(FLASH_BEGIN, asked).status == OK
        end = start + quirk(start, count)
        erased = [n for n in range(256) if content(host, n * SECTOR, SECTOR) != bytes(SECTOR)]
        assert erased == list(range(start, min(end, 256)))
        assert all(content(host, n * SECTOR, SECTOR) == b"\xff" * SECTOR for n in erased)


@pytest.mark.parametrize("start", [0, 1, 9, 15])
@pytest.mark.parametrize("wanted", [1, 2, 3, 4, 16, 17, 31])
def test_what_hosts_ask_for_instead(start: int, wanted: int) -> None:
    """The published workaround erases what is wanted, or a sector more where that is an odd number."""
    head = min(16 - start % 16, wanted)
    ask = -(-wanted // 2) if wanted < 2 * head else wanted - head
    assert quirk(start, ask) - wanted in ({0, 1} if wanted % 2 else {0})


@pytest.mark.parametrize("flag", [0, 1])
def test_flash_end_runs_the_firmware(host: RomHost, flag: int) -> None:
    """Whatever its flag is, and without a reset: no banner, and the flash protected."""
    host.ask(FLASH_BEGIN, words(0, 0, 1024, 0))
    host.port.write(request(FLASH_END, words(flag)))
    assert host.port.read(12) == bytes.fromhex("c0 01 04 02 00 07071220 00 00 c0")
    assert host.hear() == b"ets_main.c "  # the flash is blank
    assert host.chip.last_boot is not None
    assert host.chip.activity is not Activity.LOADER
    assert host.chip.flash.status(1, host.chip.flash.busy_until) == 0x1C


def test_flash_end_before_all_has_come(host: RomHost) -> None:
    host.ask(FLASH_BEGIN, words(64, 1, 64, 0))
    host.port.write(request(FLASH_END, words(1)))
    assert host.port.read(12) == bytes.fromhex("c0 01 04 02 00 07071220 01 06 c0")
    assert host.hear() == b"ets_main.c "


def test_flash_end_with_no_flash_waits_for_ever(host: RomHost) -> None:
    host.ask(MEM_BEGIN, words(0, 0, 64, DRAM))  # nothing is missing
    assert host.talk(request(FLASH_END, words(1))) == []
    assert "waits for ever" in str(host.chip.traps[0])


# MEM_*


def test_memory(host: RomHost) -> None:
    data = random.Random(2).randbytes(100)
    assert host.ask(MEM_BEGIN, words(100, 2, 64, DRAM + 0x100)).status == OK
    assert host.put(MEM_DATA, data[:64], 0) == OK
    assert host.put(MEM_DATA, data[64:], 1) == OK
    for at in range(0, 100, 4):
        assert host.register(DRAM + 0x100 + at) == int.from_bytes(data[at : at + 4], "little")
    # 1 is for: do not run.
    assert host.ask(MEM_END, words(1, 0)).status == OK
    assert host.chip.activity is Activity.LOADER
    assert host.put(MEM_DATA, b"more", 2) == OK


def test_instruction_ram_takes_whole_words(host: RomHost) -> None:
    """The ROM copies what is left over byte by byte, and faults."""
    host.ask(MEM_BEGIN, words(8, 1, 64, IRAM))
    assert host.talk(data_request(MEM_DATA, b"seven..", 0)) == []
    assert host.chip.activity is Activity.TRAPPED


def test_a_program_that_returns_ends_the_loader(host: RomHost) -> None:
    host.ask(MEM_BEGIN, words(4, 1, 64, IRAM))
    assert host.put(MEM_DATA, bytes.fromhex("0df00000"), 0) == OK  # ret.n
    host.port.write(request(MEM_END, words(0, IRAM)))
    assert host.hear()[12:] == b"user code done\r\n"
    assert host.talk(SYNC) == []


def test_a_program_prints_and_sleeps(host: RomHost) -> None:
    host.start_program(IMAGES["programs/hello.bin"])
    host.port.timeout = 2.5
    said = host.port.read(1000)
    assert said[12:] == b"hello, round 0\r\nhello, round 1\r\nhello, round 2\r\n"


@pytest.mark.parametrize(
    ("name", "cause", "pc", "address", "registers"),
    [
        ("unaligned-load", "unaligned access", 0x4010_8007, 0x3FFE_8002, {2: 0x3FFE_8002, 3: 0}),
        ("byte-from-iram", "8-bit load from instruction RAM", 0x4010_8007, 0x4010_8000, {2: 0x4010_8000}),
        (
            "unknown-rom",
            "call of an unknown ROM address 0x40000f00",
            0x4000_0F00,
            0x4000_0F00,
            {0: 0x4010_800A},
        ),
        (
            "erase-without-enable",
            "flash command 0x20: no write enable",
            0x4010_800E,
            0,
            {2: 0x6000_0200, 3: 1 << 24},
        ),
    ],
)
def test_traps(
    host: RomHost, name: str, cause: str, pc: int, address: int, registers: dict[int, int]
) -> None:
    host.ask(FLASH_BEGIN, words(0, 0, 1024, 0))  # the flash is there
    host.start_program(IMAGES[f"programs/{name}.bin"])
    assert host.hear() == bytes.fromhex("c0 01 06 02 00 07071220 00 00 c0")
    (trap,) = host.chip.traps
    assert (trap.cause, trap.pc, trap.address) == (cause, pc, address)
    assert {number: trap.registers[number] for number in registers} == registers
    assert host.chip.activity is Activity.TRAPPED
    # It says no more, but a reset brings it back.
    assert host.talk(SYNC) == []
    host.port.close()
    host.port.open()
    host.hear()
    host.sync()


# Registers.


@pytest.mark.parametrize("address", [0x4000_1000, 0x3FF0_0050, 0x6000_0014, 0x6000_0200, DRAM, IRAM], ids=hex)
def test_registers_that_can_be_read(host: RomHost, address: int) -> None:
    host.register(address)


def test_the_date_tells_an_esp8266(host: RomHost) -> None:
    assert host.register(0x4000_1000) == 0xFFF0_C101


@pytest.mark.parametrize("baud", [115200, 230400])
def test_the_divider_tells_the_crystal(baud: int) -> None:
    with RomHost(baud=baud) as host:
        host.sync()
        divider = host.register(0x6000_0014) & 0xFFFFF
        assert 25 < baud * divider / 2 / 1e6 < 27


class Identity:
    """The efuse words decoded by the published rules."""

    def __init__(self, host: RomHost) -> None:
        self.w0, self.w1, self.w2, self.w3 = (host.register(0x3FF0_0050 + 4 * n) for n in range(4))

    @property
    def mac(self) -> str:
        if self.w3:
            oui = [self.w3 >> 16 & 0xFF, self.w3 >> 8 & 0xFF, self.w3 & 0xFF]
        else:
            oui = {0: [0x18, 0xFE, 0x34], 1: [0xAC, 0xD0, 0x74]}[self.w1 >> 16 & 0xFF]
        rest = [self.w1 >> 8 & 0xFF, self.w1 & 0xFF, self.w0 >> 24]
        return ":".join(f"{byte:02x}" for byte in oui + rest)

    @property
    def embedded_mb(self) -> int | None:
        """Megabytes of flash in the package; None for an ESP8266EX."""
        if not (self.w0 >> 4 & 1 or self.w2 >> 16 & 1):
            return None
        key = (self.w0 >> 4 & 1, self.w3 >> 25 & 1, self.w3 >> 26 & 1, self.w3 >> 27 & 1)
        return {(1, 0, 0, 0): 1, (1, 0, 1, 0): 2, (0, 1, 0, 0): 2, (0, 1, 1, 0): 4}.get(key, 0)


MACS = (
    "18:fe:34:00:00:00",
    "18:fe:34:ff:ff:ff",
    "18:fe:34:c0:db:10",
    "ac:d0:74:01:02:93",
    "5c:cf:7f:0a:0b:0c",
    "a4:cf:12:db:c0:ff",
)


@pytest.mark.parametrize(
    ("mac", "chip"),
    list(
        itertools.product(
            MACS, [("esp8266", "4MB"), ("esp8285", "1MB"), ("esp8285", "2MB"), ("esp8285", "4MB")]
        )
    ),
)
def test_identity(mac: str, chip: tuple[str, str]) -> None:
    with RomHost(f"sim:{chip[1]},mac={mac},chip={chip[0]}") as host:
        host.sync()
        identity = Identity(host)
        assert identity.mac == mac
        assert identity.embedded_mb == (None if chip[0] == "esp8266" else int(chip[1][0]))


def test_write_reg(host: RomHost) -> None:
    host.set_register(DRAM, 0x1122_3344)
    host.set_register(DRAM, 0xFFFF_FFFF, mask=0x0000_FF00)
    assert host.register(DRAM) == 0x1122_FF44
    # Several in one packet, in their order.
    several = words(DRAM, 1, 0xFFFF_FFFF, 0) + words(DRAM + 4, 2, 0xFFFF_FFFF, 0) + words(DRAM, 3, 1 << 1, 0)
    assert host.ask(WRITE_REG, several).status == OK
    assert (host.register(DRAM), host.register(DRAM + 4)) == (3, 2)


def test_write_reg_waits(host: RomHost) -> None:
    before = host.port.clock.ns
    # Its low 16 bits count.
    host.port.write(request(WRITE_REG, words(DRAM, 0, 0xFFFF_FFFF, 50_000 | 1 << 16)))
    assert len(host.port.read(12)) == 12
    assert 50 <= (host.port.clock.ns - before) / 1e6 < 60


def test_write_reg_waits_before_it_writes(host: RomHost) -> None:
    """And the register is read, also where all of its bits are written."""
    seen: list[tuple[str, int, int]] = []
    chip = host.chip
    peek, poke = chip.peek, chip.poke

    def watched_peek(address: int) -> int:
        seen.append(("read", address, chip.now))
        return peek(address)

    def watched_poke(address: int, value: int) -> None:
        seen.append(("write", address, chip.now))
        poke(address, value)

    chip.peek, chip.poke = watched_peek, watched_poke  # type: ignore[method-assign]
    two = words(DRAM, 1, 0xFFFF_FFFF, 0) + words(DRAM + 4, 2, 0xFFFF_FFFF, 1000)
    assert host.ask(WRITE_REG, two).status == OK
    assert [(kind, address) for kind, address, _ in seen] == [
        ("read", DRAM),
        ("write", DRAM),
        ("read", DRAM + 4),
        ("write", DRAM + 4),
    ]
    assert seen[2][2] - seen[1][2] >= 1_000_000


# The flash through the SPI registers.


def user_command(host: RomHost, opcode: int, bits: int, address: int | None = None) -> int:
    """A command of the SPI controller's USR phase, as hosts send it; up to 32 bits of answer."""
    host.set_register(SPI + 0x20, (bits - 1) << 8 | (0 if address is None else 23 << 26 | 7))
    host.set_register(SPI + 0x1C, 1 << 31 | 1 << 28 | (0 if address is None else 1 << 30 | 1 << 29))
    host.set_register(SPI + 0x24, 7 << 28 | opcode)
    if address is not None:
        host.set_register(SPI + 0x04, address << 8)
    host.set_register(SPI + 0x40, 0)
    host.set_register(SPI, 1 << 18)
    assert host.register(SPI) >> 18 & 1 == 0
    return host.register(SPI + 0x40)


def test_no_flash_before_it_is_attached() -> None:
    with RomHost("sim:part=W25Q32") as host:
        host.sync()
        assert user_command(host, 0x9F, 24) in {0xFF_FFFF, 0}
        host.ask(FLASH_BEGIN, words(0, 0, 1024, 0))
        assert user_command(host, 0x9F, 24) == 0x16_40_EF
        host.port.close()
        host.port.open()
        host.hear()
        host.sync()
        assert user_command(host, 0x9F, 24) in {0xFF_FFFF, 0}


@pytest.mark.parametrize(
    ("part", "found"), [("W25Q80", 0x14_40_EF), ("W25Q128", 0x18_40_EF), ("GD25Q32", 0x16_40_C8)]
)
def test_flash_id(part: str, found: int) -> None:
    with RomHost(f"sim:part={part}") as host:
        host.sync()
        host.ask(FLASH_BEGIN, words(0, 0, 1024, 0))
        assert user_command(host, 0x9F, 24) == found
        assert user_command(host, 0x5A, 32, 0) == int.from_bytes(b"SFDP", "little")


def test_status_and_write_enable(host: RomHost) -> None:
    host.ask(FLASH_BEGIN, words(0, 0, 1024, 0))
    assert user_command(host, 0x05, 8) == 0
    host.set_register(SPI + 0x1C, 1 << 31)
    host.set_register(SPI + 0x24, 7 << 28 | 0x06)
    host.set_register(SPI, 1 << 18)
    assert user_command(host, 0x05, 8) == 0x02


def test_a_sector_erased_by_registers(host: RomHost) -> None:
    """How a host gets round the quirk: write enable, then the ready-made sector erase."""
    dirty(host)
    host.ask(FLASH_BEGIN, words(0, 0, 1024, 0))
    enable_and_erase = (
        words(SPI + 0x04, 0x3000, 0xFFFF_FFFF, 0)
        + words(SPI, 1 << 30, 0xFFFF_FFFF, 0)
        + words(SPI, 1 << 24, 0xFFFF_FFFF, 50_000)
    )
    assert host.ask(WRITE_REG, enable_and_erase).status == OK
    assert user_command(host, 0x05, 8) == 0
    assert content(host) == bytes(0x3000) + b"\xff" * SECTOR + bytes(0xF_C000)


# Time.


def test_the_fifo_overflows_while_the_rom_erases(host: RomHost) -> None:
    """128 bytes fit while nobody listens; the packet behind them is not understood."""
    begin = request(FLASH_BEGIN, words(4 * SECTOR, 4, 1024, 0))
    data = data_request(FLASH_DATA, b"x" * 1024, 0)
    assert [reply.opcode for reply in host.talk(begin + data)] == [FLASH_BEGIN]
    assert host.chip.uart.overflows > 800


def test_a_short_request_waits_while_the_rom_erases(host: RomHost) -> None:
    read = request(READ_REG, words(0x4000_1000))
    replies = host.talk(request(FLASH_BEGIN, words(4 * SECTOR, 4, 1024, 0)), read, read, read)
    assert [reply.opcode for reply in replies] == [FLASH_BEGIN, READ_REG, READ_REG, READ_REG]
    assert host.chip.uart.overflows == 0


def test_an_erase_takes_its_time(host: RomHost) -> None:
    host.port.write(request(FLASH_BEGIN, words(2 * SECTOR, 4, 1024, 0)))
    host.port.flush()
    start = host.port.clock.ns
    assert host.port.read(1) == b"\xc0"
    # Two asked for, four erased at 45 ms each; the status registers were written three times at 10 ms before.
    assert 210 <= (host.port.clock.ns - start) / 1e6 < 212
