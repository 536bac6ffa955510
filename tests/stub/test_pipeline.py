"""Frames in flight on a line that is paced at 921600 baud: nothing is lost, and the line hardly waits."""

from __future__ import annotations

import random
import struct

import pytest

from imgtool.device.slip import encode
from tests.stub.host import INFO, SETUP, image_requests, loaded
from tests.stub.scenarios import sample

BYTE_NS = 10_850


@pytest.mark.parametrize("size", [pytest.param(0x10_0000, marks=pytest.mark.long), 0x40_0000])
def test_pipelined_write(size: int) -> None:
    host = loaded(f"sim:{size >> 20}MB", 921_600)
    assert host.words(SETUP, 0, size).code == 0
    image = sample(0xC000) + random.Random(5).randbytes(0x4000)
    address = size - len(image)
    host.put(address, b"\x5a" * len(image))
    frames = image_requests(image, address, 0x1000)
    start = host.port.clock.ns
    assert {answer.code for answer in host.pipelined(frames)} == {0}
    line = sum(len(encode(frame)) for frame in frames) * BYTE_NS
    flash = 150_000_000 + 256 * 700_000
    assert host.port.clock.ns - start < 1.5 * max(line, flash)
    assert host.flash(address, len(image)) == image
    assert struct.unpack("<6I", host.ask(INFO).data)[5] == 0
    host.clean()
