"""What a receiver makes of bytes sent at another speed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.formats.logs.serial_line import agrees, byte_time, heard_at


def test_a_byte_is_ten_bits() -> None:
    assert byte_time(1_000_000) == 10_000
    assert byte_time(115200) == 86806


@given(st.binary(max_size=64), st.integers(-3, 3))
def test_small_errors_do_no_harm(data: bytes, percent: int) -> None:
    assert heard_at(data, 115200 * (100 + percent) // 100, 115200) == data


@given(st.binary(min_size=1, max_size=40), st.sampled_from([9600, 74880, 230400, 460800, 921600]))
def test_any_bytes_at_any_speed_give_bytes(data: bytes, speed: int) -> None:
    heard = heard_at(data, speed, 115200)
    # Never more bytes than fit into the time, the last one's tail included.
    assert len(heard) <= len(data) * 115200 / speed + 1


@pytest.mark.parametrize(
    ("data", "sent", "heard", "result"),
    [
        # At half the speed each bit is two samples.
        (b"\x00", 57600, 115200, b"\x00"),
        (b"\xff", 57600, 115200, b"\xfe"),  # only the start bit is low, for two samples
        (b"\xff", 230400, 115200, b"\xff"),  # a start bit of half a bit: the first sample is past it
        (b"\xc0", 74880, 115200, b"\x00"),  # nine low samples of 1.54 each
    ],
)
def test_by_hand(data: bytes, sent: int, heard: int, result: bytes) -> None:
    assert heard_at(data, sent, heard)[:1] == result


def test_the_boot_banner_is_noise_at_115200() -> None:
    banner = b" ets Jan  8 2013,rst cause:2, boot mode:(3,6)\r\n"
    noise = heard_at(banner, 74880, 115200)
    assert b"ets" not in noise
    assert len(noise) > len(banner)


def test_which_speeds_agree() -> None:
    assert agrees(117000, 115200)
    assert not agrees(74880, 115200)
