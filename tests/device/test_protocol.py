"""Packets as the published protocol has them; spelled out here by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.device import protocol
from imgtool.device.protocol import Command, RegisterWrite, Reply, parse_reply


@pytest.mark.parametrize(
    ("request_", "packet"),
    [
        (protocol.sync(), "0008 2400 00000000 07071220" + "55" * 32),
        (protocol.read_register(0x3FF0_0050), "000a 0400 00000000 5000f03f"),
        (
            protocol.write_registers([RegisterWrite(0x6000_0200, 1 << 18, wait_us=5)]),
            "0009 1000 00000000 00020060 00000400 ffffffff 05000000",
        ),
        (
            protocol.flash_begin(0x1_0000, 0x1000, 4, 0x400, erase=0, stub=False),
            "0002 1000 00000000 00000000 04000000 00040000 00000100",
        ),
        (
            protocol.flash_begin(0x1_0000, 0x1000, 1, 0x1000, erase=0, stub=True),
            "0002 1400 00000000 00100000 01000000 00100000 00000100 00000000",
        ),
        (
            protocol.data_packet(Command.FLASH_DATA, b"\x01\x02", 7),
            "0003 1200 ec000000 02000000 07000000 00000000 00000000 0102",
        ),
        (protocol.mem_begin(0x4010_0000, 0x1801), "0005 1000 00000000 01180000 02000000 00180000 00001040"),
        (protocol.mem_end(0x4010_0004), "0006 0800 00000000 00000000 04001040"),
        (protocol.change_baud(921_600), "000f 0800 00000000 00100e00 00c20100"),
        (
            protocol.deflate_begin(0x1000, 0x2000, 1),
            "0010 1400 00000000 00200000 01000000 00400000 00100000 00000000",
        ),
        (protocol.md5(0x1000, 0x2000), "0013 1000 00000000 00100000 00200000 00000000 00000000"),
        (protocol.erase_flash(), "00d0 0000 00000000"),
        (protocol.erase_region(0x1000, 0x2000), "00d1 0800 00000000 00100000 00200000"),
        (protocol.read_flash(0, 0x1000, 0x400), "00d2 1000 00000000 00000000 00100000 00040000 01000000"),
    ],
)
def test_requests_are_laid_out_as_published(request_: protocol.Request, packet: str) -> None:
    assert request_.build() == bytes.fromhex(packet)


def test_a_reply_is_taken_apart() -> None:
    packet = bytes.fromhex("010a 0200 01c1f0ff 0000")
    assert parse_reply(packet) == Reply(Command.READ_REG, 0xFFF0_C101, b"", b"\x00\x00")


@pytest.mark.parametrize(
    "packet",
    ["", "01", "000a 0200 00000000 0000", "010a 0300 00000000 0000", "010a 0200 00000000 000000"],
    ids=["empty", "short", "an echo", "too short for its length", "too long for its length"],
)
def test_noise_is_no_reply(packet: str) -> None:
    assert parse_reply(bytes.fromhex(packet)) is None


@pytest.mark.parametrize(
    ("status", "word", "disturbed"),
    [
        ("0105", "a message that it does not understand", True),
        ("0108", "the flash does not hold what was written", False),
        ("c100", "a wrong checksum", True),
        ("c400", "the flash does not do what it is told", False),
        ("01ee", "error 0xee", False),
    ],
)
def test_refusals_have_words(status: str, word: str, disturbed: bool) -> None:
    reply = Reply(Command.FLASH_DATA, 0, b"", bytes.fromhex(status))
    assert protocol.reason_of(reply) == word
    assert protocol.is_disturbed(reply) is disturbed
    assert not reply.ok


@given(st.binary(max_size=200))
def test_no_packet_crashes_the_parser(packet: bytes) -> None:
    reply = parse_reply(packet)
    assert reply is None or len(reply.status) == 2


def test_times_grow_with_what_is_asked() -> None:
    assert protocol.md5(0, 0x40_0000).timeout > protocol.md5(0, 0x1000).timeout
    assert protocol.erase_region(0, 0x40_0000).timeout > protocol.erase_region(0, 0x1000).timeout
