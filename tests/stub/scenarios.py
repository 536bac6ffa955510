"""What the stub is asked in the tests: every command and every refusal, each on a chip of its own."""

from __future__ import annotations

import hashlib
import random
import struct
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from imgtool.device.slip import encode
from imgtool.device.stub import own_late_code
from tests.stub.host import (
    BLANK,
    DEFLATED,
    DIGESTS,
    ERASE,
    ERASED,
    INFO,
    PLAIN,
    READ,
    RING,
    SETUP,
    WHOLE_BLOCK,
    WRITE,
    deflate,
    image_requests,
    load_late,
    loaded,
    request,
    write_request,
)
from tests.stub.streams import TABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgtool.virtual.chip.rom import RomFunction
    from tests.stub.host import Host

LENGTH, CHECK, RANGE, FLASH, UNLOCK, NO_BEGIN, DAMAGED, LITTLE, MUCH, UNKNOWN = (
    0xC0, 0xC1, 0xC2, 0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xFF,
)  # fmt: skip
MEGABYTES: Final = 0x40_0000


def sample(size: int, seed: int = 1) -> bytes:
    """Bytes that deflate to about half, with some of the framing's and some blank pages among them."""
    rng = random.Random(seed)
    data = bytearray(rng.choice(b"\xc0\xdb\xdc\xdd\xff\0abcdefgh") for _ in range(size))
    for at in range(0x300, size - 0x100, 0x1000):
        data[at : at + 0x100] = b"\xff" * 0x100
    return bytes(data)


def dirty(host: Host, address: int, size: int) -> None:
    host.put(address, b"\x5a" * size)


# The commands that esptool knows.


def registers(host: Host) -> None:
    assert host.words(0x0A, 0x60000014).value == 451
    assert host.words(0x0A, 0x60000015).code == RANGE
    assert host.ask(0x0A, b"\0\0\0").code == LENGTH
    cell = 0x3FFFB000
    writes = struct.pack("<8I", cell, 0x12345678, 0xFFFFFFFF, 0, cell, 0xAAAAAAAA, 0xFF00, 50)
    assert host.ask(0x09, writes).code == 0
    assert host.words(0x0A, cell).value == 0x1234AA78
    assert host.ask(0x09, writes * 10).code == LENGTH
    assert host.words(0x09, cell + 2, 0, 0, 0).code == RANGE


def sync(host: Host) -> None:
    answers = [host.ask(0x08, b"\x07\x07\x12\x20" + b"U" * 32), *(host.answer() for _ in range(7))]
    assert {(answer.value, answer.code) for answer in answers} == {(0, 0)}
    assert host.silent()


def unknown(host: Host) -> None:
    for command in (0x14, 0xD3, 0x00, 0xFE):
        assert host.ask(command).code == UNKNOWN


def attach(host: Host) -> None:
    assert host.words(0x0D, 0).code == 0
    assert host.words(0x0B, 0, 0x100000, 0x10000, 4096, 256, 0xFFFF).code == 0
    assert host.words(0x13, 0xFF000, 0x1000, 0, 0).code == 0
    refused = host.words(0x13, 0xFF000, 0x1001, 0, 0)
    assert (refused.code, refused.value) == (RANGE, 0xFF000)
    assert host.words(0x0B, 0, 0, 0x10000, 4096, 256, 0xFFFF).code == RANGE


def speed(host: Host) -> None:
    for baud, before, divider in ((921600, 115200, 56), (230400, 921600, 226), (460800, 230400, 113)):
        assert host.words(0x0F, baud, before).code == 0
        host.port.clock.sleep(0.05)
        host.port.baudrate = baud
        assert host.words(0x0A, 0x60000014).value == divider
    assert host.words(0x0F, 0, 0).code == RANGE
    # 460800 is what a divider of 113 makes of 52 MHz; 708000 of 80 MHz.
    assert host.words(0x0F, 115200, 708000).code == 0
    assert host.silent(0.05)
    assert host.port.chip.uart.divider == 694
    host.port.baudrate = host.port.chip.uart.baud
    assert host.words(0x0F, 115200, 74000).code == 0
    assert host.silent(0.05)
    assert host.port.chip.uart.divider == 451
    host.port.baudrate = host.port.chip.uart.baud
    assert host.words(0x0F, 115200, 0).code == 0
    assert host.silent(0.05)
    assert host.port.chip.uart.divider == 451


def memory(host: Host) -> None:
    # ret.n, in IRAM behind the stub.
    assert host.words(0x05, 6, 1, 0x1800, 0x4010_8000).code == 0
    assert host.packet(0x07, b"\x0d\xf0\0\0\0\0").code == 0
    assert host.packet(0x07, b"\0").code == MUCH
    assert host.words(0x06, 1, 0x4010_8000).code == 0
    assert host.words(0x06, 0, 0x4010_8000).code == 0
    host.port.clock.sleep(0.05)
    assert host.ask(INFO).code == 0
    for address, size in ((0x4010_0000, 4), (0x3FFE_8000, 4), (0x4010_FFFC, 8), (0x4010_8002, 4)):
        assert host.words(0x05, size, 1, 0x1800, address).code == RANGE
    assert host.words(0x05, 4, 1, 0x1800, 0x3FFF_B000).code == 0
    head = struct.pack("<4I", 4, 0, 0, 0)
    assert host.ask(0x07, head + b"abcd", 0).code == CHECK
    assert host.ask(0x07, head + b"abc").code == LENGTH
    assert host.ask(0x07, head[:12]).code == LENGTH


def late_code(host: Host) -> None:
    """What is not loaded is not run, and what came broken is not either."""
    host = loaded("sim:4MB", 921_600, late=False)
    data = sample(0x1000)
    packet = write_request(0x1000, data)

    def inflates() -> bool:
        answer = host.ask(WRITE, packet[8:])
        assert (answer.code, answer.value) in {(0, 0x1000), (UNKNOWN, 0x1000)}
        return answer.code == 0

    assert not inflates()
    assert host.words(0x02, 4, 1, 0x4000, 0).code == UNKNOWN
    assert host.packet(0x11, b"abcd").code == UNKNOWN
    assert host.words(0x06, 1, 0x4010_8000).code == UNKNOWN
    assert host.ask(WRITE, write_request(0, data, plain=True)[8:]).code == 0
    address, code = own_late_code()
    assert host.words(0x05, len(code), 1, 0x1800, address).code == 0
    assert host.packet(0x07, code[:-1] + b"!").code == 0
    assert host.words(SETUP, zlib.crc32(code), 0).code == CHECK
    assert not inflates()
    load_late(host)
    assert inflates()
    assert host.flash(0, 0x2000) == data * 2
    # Other programs may go elsewhere; in its place they end it.
    assert host.words(0x05, 4, 1, 0x1800, 0x4010_8000).code == 0
    assert inflates()
    assert host.words(0x05, 4, 1, 0x1800, address).code == 0
    assert not inflates()
    host.clean()


def plain_download(host: Host) -> None:
    data = sample(0x1_2004, 2)
    dirty(host, 0, 0x30000)
    address = 0xF000
    assert host.words(0x02, len(data), 10, 0x4000, address, 0).code == 0
    for at in range(0, len(data), 0x4000):
        assert host.packet(0x03, data[at : at + 0x4000].ljust(0x4000, b"\xff")).code == 0
    assert host.packet(0x03, b"more").code == MUCH
    assert host.words(0x04, 1).code == 0
    assert host.flash(address, len(data)) == data
    assert host.flash(0, address) == b"\x5a" * address
    assert host.flash(0x22000, 0x1000) == b"\x5a" * 0x1000
    assert host.words(0x13, address, len(data), 0, 0).data == hashlib.md5(data).digest()
    assert host.port.chip.flash.counts["block64"] == 1


def short_download(host: Host) -> None:
    assert host.words(0x02, 7, 1, 0x4000, 0x1004).code == 0
    assert host.packet(0x03, b"\x01\x02\x03\x04\x05\x06\x07\x55").code == 0
    assert host.words(0x04, 0).code == 0
    assert host.flash(0x1000, 16) == b"\xff" * 4 + b"\x01\x02\x03\x04\x05\x06\x07" + b"\xff" * 5
    assert host.words(0x02, 0, 0, 0x4000, 0).code == 0
    assert host.words(0x04, 1).code == 0


def refused_download(host: Host) -> None:
    assert host.words(0x04, 1).code == NO_BEGIN
    assert host.words(0x12, 1).code == NO_BEGIN
    assert host.packet(0x03, b"abcd").code == NO_BEGIN
    assert host.packet(0x11, b"abcd").code == NO_BEGIN
    assert host.words(0x02, 4, 1, 0x4000, 2).code == RANGE
    assert host.words(0x02, 0x1001, 1, 0x4000, 0xFFF000).code == RANGE
    assert host.words(0x02, 8, 1, 0x4000, 0).code == 0
    assert host.ask(0x03, struct.pack("<4I", 4, 0, 0, 0) + b"abcd", 0).code == CHECK
    assert host.ask(0x03, struct.pack("<4I", 0x4004, 0, 0, 0) + bytes(0x4004)).code == LENGTH
    assert host.packet(0x03, b"abcd").code == 0
    ended = host.words(0x04, 1)
    assert (ended.code, ended.value) == (LENGTH, 4)


def deflated(host: Host, data: bytes, address: int, packet: int = 0x1000) -> None:
    packed = zlib.compress(data, 9)
    assert host.words(0x10, len(data), -(-len(packed) // packet), packet, address, 0).code == 0
    for at in range(0, len(packed), packet):
        assert host.packet(0x11, packed[at : at + packet]).code == 0


def deflated_download(host: Host) -> None:
    rng = random.Random(3)
    data = sample(0x1_2000, 4) + rng.randbytes(0x3000) + bytes(0x9000) + b"end"
    dirty(host, 0, 0x30000)
    deflated(host, data, 0x10000)
    assert host.words(0x12, 1).code == 0
    assert host.flash(0x10000, len(data)) == data
    # The check of the stream alone in the last packet.
    packed = zlib.compress(b"small")
    assert host.words(0x10, 5, 2, 0x4000, 0x40000, 0).code == 0
    assert host.packet(0x11, packed[:-4]).code == 0
    assert host.packet(0x11, packed[-4:]).code == 0
    assert host.words(0x12, 1).code == 0
    assert host.flash(0x40000, 5) == b"small"


def refused_deflated_download(host: Host) -> None:
    # What fails behind an acknowledgement is said to the next command.
    for stream, code in (
        (b"\x78\xda\x07\0\0\0\0", DAMAGED),  # a block of the type that there is not
        (b"\x79\xda\x03\0\0\0\0\0", DAMAGED),
        (zlib.compress(bytes(0x3000)), MUCH),
    ):
        assert host.words(0x10, 0x1000, 1, 0x4000, 0x5000, 0).code == 0
        assert host.packet(0x11, stream).code == 0
        told = host.words(0x12, 1)
        assert (told.code, told.value >= 0x5000) == (code, True)
        assert host.words(0x12, 1).code == NO_BEGIN
    # Too little, a packet that comes broken, one that is too short, and a stream that is broken off.
    packed = zlib.compress(sample(0x3000))
    assert host.words(0x10, 0x3000, 2, 0x4000, 0x5000, 0).code == 0
    assert host.packet(0x11, packed[:1000]).code == 0
    head = struct.pack("<4I", 4, 0, 0, 0)
    assert host.ask(0x11, head + b"abcd", 0).code == CHECK
    assert host.ask(0x11, head[:12]).code == LENGTH
    assert host.packet(0x11, packed[1000:2000]).code == 0
    assert host.ask(INFO).code == 0
    assert host.packet(0x11, packed[2000:]).code == 0
    assert host.words(0x12, 1).code == LENGTH


def erases(host: Host) -> None:
    dirty(host, 0, 0x30000)
    assert host.words(0xD1, 0x1000, 0x2000).code == 0
    assert host.flash(0, 0x4000) == b"\x5a" * 0x1000 + b"\xff" * 0x2000 + b"\x5a" * 0x1000
    assert host.words(0xD1, 0x1000, 0x1001).code == RANGE
    assert host.words(0xD1, 0x1800, 0x1000).code == RANGE
    assert host.words(SETUP, 0, MEGABYTES).code == 0
    assert host.words(0xD1, MEGABYTES - 0x1000, 0x2000).code == RANGE
    assert host.ask(0xD0).code == 0
    assert host.flash(0, 0x30000) == b"\xff" * 0x30000


def read_flash(host: Host) -> None:
    data = sample(0x745)
    host.put(0x1003, data)
    for most in (1, 3):
        host.send(request(0xD2, struct.pack("<4I", 0x1003, len(data), 0x200, most)))
        assert host.answer().code == 0
        read = b""
        while len(read) < len(data):
            read += host.frame()
            host.send(struct.pack("<I", len(read)))
        assert read == data
        assert host.frame() == hashlib.md5(data).digest()
    host.send(request(0xD2, struct.pack("<4I", 0, 0x400, 0x200, 1)))
    assert host.answer().code == 0
    host.frame()
    host.send(b"no")
    assert host.ask(INFO).code == 0
    for words in ((0, 16, 0x4001, 1), (0, 16, 0, 1), (0, 16, 16, 0), (0xFFFFF0, 32, 16, 1)):
        assert host.words(0xD2, *words).code == RANGE


# The stub's own.


def info(host: Host) -> None:
    words = struct.unpack("<6I", host.ask(INFO).data)
    assert words[:3] == (0x32474D49, RING, 0x4010)
    assert words[3] & 0xFFFFFF == 0x1640C8
    assert words[4:] == (0, 0)


def digests(host: Host) -> None:
    data = sample(0x3000)
    host.put(0x7000, data)
    found = host.words(DIGESTS, 0x7000, 0x4000).data
    sectors = [data[at : at + 4096] for at in range(0, len(data), 4096)] + [b"\xff" * 4096]
    assert found == b"".join(hashlib.md5(sector).digest() for sector in sectors)
    for words in ((0x7001, 0x1000), (0x7000, 0x1800), (0, 0), (0, 0x101000), (0xFFF000, 0x2000)):
        assert host.words(DIGESTS, *words).code == RANGE


def blank(host: Host) -> None:
    for at in (0x2000, 0x5FFF, 0x9200):
        host.put(at, b"\0")
    found = host.words(BLANK, 0x1000, 0xA000).data
    bits = int.from_bytes(found, "little")
    assert len(found) == 2
    assert [index for index in range(10) if not bits >> index & 1] == [1, 4, 8]
    assert len(host.words(BLANK, 0, 0x8000).data) == 1
    assert host.words(BLANK, 0, 0).data == b""
    for words in ((1, 0x1000), (0, 0x800), (0xFFF000, 0x2000)):
        assert host.words(BLANK, *words).code == RANGE


def erase_if_dirty(host: Host) -> None:
    counts = host.port.chip.flash.counts
    for at in (0x0F000, 0x11000, 0x12000, 0x13000, 0x21000, 0x22000, 0x23000, 0x24000):
        host.put(at + 0x800, b"\0")
    assert host.words(ERASE, 0xF000, 0x22000).code == 0
    assert (counts["sector"], counts["block64"]) == (4, 1)
    assert host.flash(0x0F000, 0x22000) == b"\xff" * 0x22000
    assert host.words(ERASE, 0, 0x40000).code == 0
    assert (counts["sector"], counts["block64"]) == (4, 1)
    assert host.words(ERASE, 0x800, 0x1000).code == RANGE


def write(host: Host) -> None:
    data = sample(0x1000)
    dirty(host, 0, 0x10000)
    for number, packet in enumerate((
        write_request(0x0000, data),
        write_request(0x1000, data, plain=True),
        write_request(0x2000, data[:0x300]),
        write_request(0x3000, sample(0x4000)),
        write_request(0x7000, b"\xff" * 0x1000),
        request(WRITE, struct.pack("<4I", 0x8000, 4096, zlib.crc32(data), DEFLATED) + deflate(data, level=0)),
    )):  # fmt: skip
        answer = host.ask(WRITE, packet[8:])
        assert answer.code == 0, number
        (expected,) = struct.unpack_from("<I", packet, 8)
        assert answer.value == expected
    assert host.flash(0, 0x3000) == data * 2 + data[:0x300] + b"\xff" * 0xD00
    assert host.flash(0x3000, 0x4000) == sample(0x4000)
    assert host.flash(0x7000, 0x1000) == b"\xff" * 0x1000
    assert host.flash(0x8000, 0x2000) == data + b"\x5a" * 0x1000


def dictionary(host: Host) -> None:
    rng = random.Random(8)
    old, data = rng.randbytes(0x8000), b""
    host.put(0, old)
    data = old[0x123:0x1123]
    packet = write_request(0x8000, data, 0, old)
    assert len(packet) < 200
    reads: list[int] = []
    flash = host.port.chip.flash
    read = flash.read

    def noted(address: int, length: int) -> bytes:
        reads.append(address)
        return read(address, length)

    flash.read = noted  # type: ignore[method-assign]
    assert host.ask(WRITE, packet[8:]).code == 0
    assert 0 in reads  # from the flash
    reads.clear()
    following = write_request(0x9000, data, 0, (old + data)[-0x8000:])
    assert host.ask(WRITE, following[8:]).code == 0
    assert 0x1000 not in reads  # from the window
    # Again, alone, as a host does that has missed the answer: now from the flash.
    assert host.ask(WRITE, packet[8:]).code == 0
    assert host.ask(WRITE, following[8:]).code == 0
    assert read(0x8000, 0x2000) == data * 2
    # A reference to before the dictionary.
    far = request(WRITE, struct.pack("<4I", 0x8000, 4096, zlib.crc32(data), DEFLATED | 1 << 16) + packet[24:])
    refused = host.ask(WRITE, far[8:])
    assert (refused.code, refused.value) == (DAMAGED, 0x8000)


def round_the_window(host: Host) -> None:
    rng = random.Random(9)
    image = b"".join(rng.choice((rng.randbytes(0x700), bytes(0x900), sample(0x800))) for _ in range(40))
    image = image[: len(image) & ~0xFF]
    for packet in image_requests(image, 0x3000, 0x3000):
        assert host.ask(WRITE, packet[8:]).code == 0
    assert host.flash(0x3000, len(image)) == image


def match_round_the_window(host: Host) -> None:
    """A match alone, whose bytes lie on both sides of the window's end."""
    image = random.Random(10).randbytes(0xC000)
    for packet in image_requests(image, 0, 0x1000):
        assert host.ask(WRITE, packet[8:]).code == 0
    again = (image[-100:] * 3)[:0x100]
    packet = write_request(0xC000, again, 0, image[-0x8000:])
    assert len(packet) < 40
    assert host.ask(WRITE, packet[8:]).code == 0
    assert host.flash(0, 0xC100) == image + again


def whole_blocks(host: Host) -> None:
    dirty(host, 0, 0x30000)
    counts = host.port.chip.flash.counts
    image = sample(0x24000)
    frames = image_requests(image, 0xC000)
    assert all(answer.code == 0 for answer in host.pipelined(frames))
    assert host.flash(0xC000, len(image)) == image
    assert (counts["block64"], counts["sector"]) == (2, 4)
    assert host.flash(0, 0xC000) == b"\x5a" * 0xC000
    # One of the last block comes again with its bits: the others stay.
    again = len(frames) - 4
    assert host.ask(WRITE, frames[again][8:]).code == 0
    assert host.flash(0xC000, len(image)) == image
    assert counts["block64"] == 2
    # Sectors that are known to be erased.
    assert host.ask(WRITE, write_request(0x100000, image[:0x1000], ERASED)[8:]).code == 0
    assert host.flash(0x100000, 0x1000) == image[:0x1000]


def refused_writes(host: Host) -> None:
    data = sample(0x1000)
    dirty(host, 0, 0x10000)
    before = host.flash(0, 0x10000)
    check = zlib.crc32(data)

    def refusal(address: int, size: int, method: int, content: bytes, crc: int = check) -> tuple[int, int]:
        answer = host.ask(WRITE, struct.pack("<4I", address, size, crc, method) + content)
        return answer.code, answer.value

    good = deflate(data)
    for address, size, method in (
        (0x800, 4096, 0), (0, 4095, 0), (0, 0, 0), (0, 0x4100, 0), (0xFFF000, 0x2000, 0), (0x1000000, 256, 0),
        (0, 4096, 2), (0x10000, 4096, 129 << 16), (0x1000, 4096, 17 << 16),
    ):  # fmt: skip
        assert refusal(address, size, method, data) == (RANGE, address)
    assert refusal(0x1000, 4096, PLAIN, data, check ^ 1) == (CHECK, 0x1000)
    assert refusal(0x1000, 4096, DEFLATED, good, check ^ 1) == (CHECK, 0x1000)
    assert refusal(0x1000, 4096, PLAIN, data[:-1])[0] == LITTLE
    assert refusal(0x1000, 4096, DEFLATED, good[:-9]) == (LITTLE, 0x1000)
    assert refusal(0x1000, 4352, DEFLATED, good) == (LITTLE, 0x1000)
    assert refusal(0x1000, 3840, DEFLATED, good) == (MUCH, 0x1000)
    assert refusal(0x1000, 3840, DEFLATED, deflate(data, level=0)) == (MUCH, 0x1000)
    assert refusal(0x1000, 4096, DEFLATED, b"\x01\x05\0\0\0hello") == (DAMAGED, 0x1000)
    assert refusal(0x1000, 4096, DEFLATED, deflate(data, level=0)[:99]) == (LITTLE, 0x1000)
    # A length that there is not, and a distance.
    assert refusal(0x1000, 4096, DEFLATED, bytes.fromhex("1b030000")) == (DAMAGED, 0x1000)
    # All that was announced, and one byte more.
    host.send(write_request(0x1000, data) + b"x")
    longer = host.answer()
    assert (longer.code, longer.value) == (LENGTH, 0x1000)
    # Trees that there are not: over-full, incomplete, of too many codes, repeating nothing, without an end.
    for stream in (
        "edffffff",
        "05e0810801",
        "fdffffffff",
        "0400feff",
        "4bffff",
        "63fcff",
        "edc0010d000000c2a0f7",
    ):
        assert refusal(0x1000, 4096, DEFLATED, bytes.fromhex(stream))[0] in {DAMAGED, LITTLE}
    head = request(WRITE, struct.pack("<4I", 0x1000, 4096, check, PLAIN) + data)
    for at in (2, 8, 9, 13, 17, 21):  # of the header and of the frame's own
        broken = bytearray(head)
        broken[at] ^= 4
        host.send(bytes(broken))
        assert host.answer().code in {CHECK, LENGTH}
    assert host.flash(0, 0x10000) == before


def read(host: Host) -> None:
    data = sample(0x1304)
    host.put(0x1004, data)
    assert host.words(READ, 0x1004, len(data), 0, 1).data == data
    # Several under way.
    for at in range(0, 0x1300, 0x100):
        host.send(request(READ, struct.pack("<4I", 0x1004 + at, 0x100, 0, 1)))
    assert b"".join(host.answer().data for _ in range(0x13)) == data[:0x1300]
    for nothing in ((0, 0, 0, 1), (0, 4, 4, 0), (4, 0, 4, 0x4000)):
        assert host.words(READ, *nothing).data == b""
    refused = (
        ((0, 0x4004, 0, 1), 0),
        ((0xFFFFF0, 20, 0, 1), 0xFFFFF0),
        ((2, 16, 0, 1), 2),
        ((0, 18, 0, 1), 0),
    )
    for words, place in refused:
        answer = host.words(READ, *words)
        assert (answer.code, answer.value) == (RANGE, place)


def read_in_steps(host: Host) -> None:
    """Several pieces that lie equally far apart, also towards the beginning, and as one that overlap."""
    data = sample(0x4000)
    host.put(0x10000, data)
    for at, size, step, count in ((0, 4, 0x100, 64), (4, 0x1000, 0x1000, 3), (8, 12, 4, 1000), (0, 8, 0, 5)):
        answer = host.words(READ, 0x10000 + at, size, step, count)
        assert answer.data == b"".join(data[at + n * step :][:size] for n in range(count))
        assert answer.value == 0x10000 + at
    back = host.words(READ, 0x10000 + 0x3000, 16, -0x1000 & 0xFFFF_FFFF, 4)
    assert back.data == b"".join(data[at:][:16] for at in (0x3000, 0x2000, 0x1000, 0))
    assert len(host.words(READ, 0, 0x1000, 0x1000, 4).data) == 0x4000
    refused = (
        ((0, 4, 2, 2), 0),  # no words
        ((0, 0x1000, 0x1000, 5), 0x4000),  # too much for an answer
        ((0xFF0000, 4, 0x8000, 3), 0x100_0000),  # the last piece lies beyond the flash
        ((0, 0, 4, 0x4001), 0),
    )
    for words, place in refused:
        answer = host.words(READ, *words)
        assert (answer.code, answer.value) == (RANGE, place)


def setup(host: Host) -> None:
    assert host.words(SETUP, 0, 0x100000).code == 0
    assert host.words(BLANK, 0xFF000, 0x1000).code == 0
    assert host.words(BLANK, 0xFF000, 0x2000).code == RANGE
    for size in (0, 0x1010000, 0x101000):
        assert host.words(SETUP, 0, size).code == RANGE


def disturbed_frames(host: Host) -> None:
    port = host.port
    # Noise, an echo, an empty frame, a bad escape, one that is too long for its header, one too short.
    port.write(b"noise\xc0\xc0" + encode(b"\x01\x08\x02\0\0\0\0\0\0\0") + b"\xc0\xc0")
    assert host.silent()
    packet = encode(request(0x0A, struct.pack("<I", 0x60000014)))
    port.write(packet[:4] + b"\xdb\x41" + packet[4:])
    assert host.answer().code in {LENGTH, CHECK}
    port.write(packet[:-1] + b"\x41\xc0")
    assert host.answer().code == LENGTH
    port.write(packet[:-3] + b"\xc0")
    assert host.answer().code == LENGTH
    assert host.ask(0x0A, struct.pack("<I", 0x60000014)).code == 0
    assert host.ask(0x14, b"abc").code == UNKNOWN
    # An own command whose check does not fit.
    assert host.ask(BLANK, struct.pack("<2I", 0, 0x1000), 1).code == CHECK


def overrun(host: Host) -> None:
    """More than the ring holds, while the flash erases; then many short frames, which it does hold."""
    dirty(host, 0, 0x20000)
    host.send(request(ERASE, struct.pack("<2I", 0, 0x20000)))
    frames = [
        write_request(0x40000 + at, random.Random(at).randbytes(0x4000)) for at in range(0, 0xC000, 0x4000)
    ]
    for packet in frames:
        host.send(packet)
    assert host.answer().code == 0
    codes = [host.answer().code]
    codes.append(host.answer().code)
    assert codes == [0, LENGTH]
    assert host.silent(1) or host.frame()
    words = struct.unpack("<6I", host.ask(INFO).data)
    assert words[5] > 0
    dirty(host, 0, 0x20000)
    host.send(request(ERASE, struct.pack("<2I", 0, 0x20000)))
    for _ in range(80):
        host.send(request(0x0A, struct.pack("<I", 0x60000014)))
    assert host.answer().command == ERASE
    assert {host.answer().code for _ in range(80)} == {0}


def fifo_overflow(host: Host) -> None:
    host.port.chip.uart._raw |= 1 << 4
    assert host.ask(INFO).code in {0, CHECK}
    assert struct.unpack("<6I", host.ask(INFO).data)[5] == 1


def protected(host: Host) -> None:
    flash = host.port.chip.flash
    flash.protect()
    dirty(host, 0, 0x1000)
    assert host.ask(WRITE, write_request(0, sample(0x1000))[8:]).code == 0
    assert host.flash(0, 0x1000) == sample(0x1000)
    assert flash.status(1, host.port.chip.now) & 0x1C == 0
    # The WP pin holds them.
    flash.protect()
    flash._write_status = lambda *_: None  # type: ignore[method-assign]
    for refused in (
        host.ask(WRITE, write_request(0, bytes(0x1000))[8:]),
        host.words(ERASE, 0, 0x1000),
        host.words(0x02, 4, 1, 0x4000, 0),
        host.ask(0xD0),
    ):
        assert refused.code == UNLOCK
    assert host.flash(0, 0x1000) == sample(0x1000)


def one_status_register(host: Host) -> None:
    flash = host.port.chip.flash
    object.__setattr__(flash.part, "status_registers", 1)
    flash.protect()
    assert host.words(ERASE, 0, 0x1000).code == 0
    assert flash.status(1, host.port.chip.now) & 0x1C == 0
    flash.violations.clear()  # that it was asked for the second one
    object.__setattr__(flash.part, "status_registers", 3)


def stuck_flash(host: Host) -> None:
    """A flash that takes no erase, one that never ends, one that does not let itself be written."""
    flash = host.port.chip.flash
    dirty(host, 0, 0x2000)
    erase = flash._erase
    flash._erase = lambda *_: None  # type: ignore[method-assign]
    refused = host.words(ERASE, 0x1000, 0x1000)
    assert (refused.code, refused.value) == (FLASH, 0x1000)
    flash._erase = erase  # type: ignore[method-assign]
    assert host.words(0x02, 0x1000, 1, 0x4000, 0).code == 0
    flash._erase = lambda *_: None  # type: ignore[method-assign]
    assert host.packet(0x03, sample(0x1000)).code == 0
    told = host.words(0x0A, 0x60000014)
    assert (told.code, told.value) == (FLASH, 0)
    assert host.words(0x10, 0x1000, 1, 0x4000, 0, 0).code == 0
    assert host.packet(0x11, zlib.compress(sample(0x1000))).code == 0
    assert host.words(0x12, 1).code == FLASH
    assert host.ask(WRITE, write_request(0, sample(0x1000), WHOLE_BLOCK)[8:]).code == FLASH
    flash._erase = erase  # type: ignore[method-assign]
    busy = flash.timing
    flash.timing = type(busy)(
        **{name: getattr(busy, name) for name in busy.__dataclass_fields__} | {"sector": 12_000_000_000}
    )
    assert host.words(ERASE, 0x1000, 0x1000).code == FLASH
    flash.timing = busy
    flash.busy_until = 0
    dirty(host, 0x1000, 0x1000)
    latch = flash._set_latch
    flash._set_latch = lambda *_: None  # type: ignore[method-assign]
    assert host.words(ERASE, 0x1000, 0x1000).code == FLASH
    flash._set_latch = latch  # type: ignore[method-assign]


def writes_under_way(host: Host) -> None:
    """While the flash erases for one frame, those behind it are received, inflated and proved."""
    image = sample(0x5000, 11)
    dirty(host, 0, 0x10000)
    flash = host.port.chip.flash
    program, there = flash._page_program, list[bool]()

    def noted(now: int, sent: bytes) -> None:
        if not there:
            memory = bytes(host.port.chip.core.dram)
            there.extend(image[at : at + 0x1000] in memory for at in range(0, 0x5000, 0x1000))
        program(now, sent)

    flash._page_program = noted  # type: ignore[method-assign]
    flash.timing = replace(flash.timing, sector=400_000_000)
    frames = [write_request(at, image[at : at + 0x1000]) for at in range(0, 0x5000, 0x1000)]
    assert [(one.code, one.value) for one in host.pipelined(frames)] == [
        (0, at) for at in range(0, 0x5000, 0x1000)
    ]
    assert there == [True] * 5
    assert host.flash(0, 0x6000) == image + b"\x5a" * 0x1000


def answers_in_order(host: Host) -> None:
    """What comes while the flash erases is answered in its turn, and a frame that comes broken harms none."""
    image = sample(0x4000, 12)
    dirty(host, 0, 0x10000)
    host.port.chip.flash.timing = replace(host.port.chip.flash.timing, sector=300_000_000)
    frames = [write_request(at, image[at : at + 0x1000]) for at in range(0, 0x4000, 0x1000)]
    broken = bytearray(frames[1])
    broken[-9] ^= 0x10
    for packet in (frames[0], bytes(broken), frames[2][:-40], request(0x14), frames[3]):
        host.send(packet)
    host.send(request(READ, struct.pack("<4I", 0x3000, 0x40, 0, 1)))
    found = [host.answer() for _ in range(6)]
    assert [one.command for one in found] == [WRITE, WRITE, WRITE, 0x14, WRITE, READ]
    assert [one.value for one in found] == [0, 0x1000, 0x2000, 0, 0x3000, 0x3000]
    codes = [one.code for one in found]
    assert codes[1] in {CHECK, DAMAGED, LITTLE, MUCH}
    assert codes[2] in {LENGTH, DAMAGED}
    assert [codes[0], *codes[3:]] == [0, UNKNOWN, 0, 0]
    assert found[5].data == image[0x3000:0x3040]
    assert host.flash(0, 0x4000) == image[:0x1000] + b"\x5a" * 0x2000 + image[0x3000:]


def many_small_writes(host: Host) -> None:
    """More frames than are kept waiting, and more bytes than the window has."""
    dirty(host, 0, 0x40000)
    host.port.chip.flash.timing = replace(host.port.chip.flash.timing, sector=200_000_000)
    frames = [write_request(at, bytes([at >> 12]) * 0x100) for at in range(0, 0x14000, 0x1000)]
    assert {one.code for one in host.pipelined(frames)} == {0}
    for at in range(0, 0x14000, 0x1000):
        assert host.flash(at, 0x1000) == bytes([at >> 12]) * 0x100 + b"\xff" * 0xF00
    frames = [write_request(at, bytes([at >> 12]) * 0x4000) for at in range(0x20000, 0x38000, 0x4000)]
    assert {one.code for one in host.pipelined(frames)} == {0}
    for at in range(0x20000, 0x38000, 0x4000):
        assert host.flash(at, 0x4000) == bytes([at >> 12]) * 0x4000


def late_failures(host: Host) -> None:
    """A frame that the flash fails is told so, whatever is received by then; those behind it are written."""
    image = sample(0x3000, 13)
    dirty(host, 0, 0x10000)
    flash = host.port.chip.flash
    flash.timing = replace(flash.timing, sector=200_000_000)
    frames = [write_request(at, image[at : at + 0x1000]) for at in range(0, 0x3000, 0x1000)]
    erase, latch, program = flash._erase, flash._set_latch, flash._page_program

    def not_taken(now: int, sent: bytes) -> None:
        assert (sent[0] in {0x20, 0xD8}, now >= flash.busy_until) == (True, True)
        flash._erase = erase  # type: ignore[method-assign]

    flash._erase = not_taken  # type: ignore[method-assign]
    found = host.pipelined(frames)
    assert [(one.code, one.value) for one in found] == [(FLASH, 0), (0, 0x1000), (0, 0x2000)]
    assert host.flash(0, 0x3000) == b"\x5a" * 0x1000 + image[0x1000:]
    # The second is refused its write enable.
    dirty(host, 0, 0x10000)

    def begun(now: int, sent: bytes) -> None:
        program(now, sent)
        flash._page_program = program  # type: ignore[method-assign]
        flash._set_latch = unset  # type: ignore[method-assign]

    def unset(opcode: int, now: int, sent: bytes) -> None:
        if flash.counts["page"] == pages + 15:
            flash._set_latch = latch  # type: ignore[method-assign]
            return
        latch(opcode, now, sent)

    pages = flash.counts["page"]
    flash._page_program = begun  # type: ignore[method-assign]
    found = host.pipelined(frames)
    assert [(one.code, one.value) for one in found] == [(0, 0), (FLASH, 0x1000), (0, 0x2000)]
    assert host.flash(0, 0x3000) == image[:0x1000] + b"\x5a" * 0x1000 + image[0x2000:]
    # A block that was not erased is not taken for clean.
    dirty(host, 0x10000, 0x10000)
    flash._erase = not_taken  # type: ignore[method-assign]
    frames = [
        write_request(at, image[at % 0x1000 :][:0x1000], WHOLE_BLOCK)
        for at in range(0x10000, 0x20000, 0x1000)
    ]
    found = host.pipelined(frames)
    assert [one.code for one in found] == [FLASH] + 15 * [0]
    assert host.ask(WRITE, write_request(0x10000, image[:0x1000])[8:]).code == 0
    assert host.flash(0x10000, 0x10000) == image[:0x1000] * 16
    # An erase that does not end, while nothing comes.
    busy = flash.timing
    dirty(host, 0, 0x10000)
    flash.timing = replace(busy, sector=12_000_000_000)
    assert host.ask(WRITE, write_request(0, image[:0x1000])[8:]).code == FLASH
    flash.timing = busy
    flash.busy_until = 0
    assert host.ask(WRITE, write_request(0, image[:0x1000])[8:]).code == 0


def damaged_streams(host: Host) -> None:
    """Whatever zlib says of a stream, it is not as long as announced."""
    dirty(host, 0x1000, 0x1000)
    for name, stream in TABLE.items():
        head = struct.pack("<4I", 0x1000, 0x4000, 0, DEFLATED)
        assert host.ask(WRITE, head + bytes.fromhex(stream)).code in {DAMAGED, LITTLE}, name
    assert host.flash(0x1000, 0x1000) == b"\x5a" * 0x1000


def failing_rom(host: Host) -> None:
    """The ROM's own routines report that the flash has failed."""
    rom = host.port.chip.rom
    function = rom.function
    dictionary = bytes(range(256))
    for name in ("SPIRead", "SPIWrite"):

        def failing(address: int, name: str = name) -> RomFunction:
            found = function(address)
            return found._replace(handler=lambda _: 1) if found.name == name else found

        rom.function = failing  # type: ignore[method-assign]
        packet = write_request(0x1000, sample(0x200), 0, dictionary)
        assert host.ask(WRITE, packet[8:]).code == FLASH
        rom.function = function  # type: ignore[method-assign]


SCENARIOS: Final[tuple[Callable[[Host], None], ...]] = (
    registers, sync, unknown, attach, speed, memory, late_code, plain_download, short_download,
    refused_download, deflated_download, refused_deflated_download, erases, read_flash, info, digests, blank,
    erase_if_dirty, write, dictionary, round_the_window, match_round_the_window, whole_blocks, refused_writes,
    read, read_in_steps, setup, disturbed_frames, overrun, fifo_overflow, protected, one_status_register,
    stuck_flash, writes_under_way, answers_in_order, many_small_writes, late_failures, damaged_streams,
    failing_rom,
)  # fmt: skip


def play(scenario: Callable[[Host], None], host: Host | None = None) -> Host:
    """Run a scenario; the chip is sound afterwards."""
    host = host or loaded("sim:4MB", 115_200 if scenario in {speed, info, registers} else 921_600)
    if scenario is not overrun:
        # Nothing depends on how long a block takes, and the interpreter runs each look at the status.
        flash = host.port.chip.flash
        flash.timing = replace(
            flash.timing, sector=flash.timing.sector // 8, block64=flash.timing.block64 // 16
        )
    scenario(host)
    host.clean()
    return host
