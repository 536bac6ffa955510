"""The packaged stub is what its sources make, lies where it may, and is small."""

from __future__ import annotations

from fixtures import stub_build
from imgtool.device.stub import own_late_code
from tests.stub.host import stub

MOST_CODE = 6 * 1024
MOST_LATE = 3 * 1024


def test_packaged_stub_is_of_its_sources() -> None:
    assert stub_build.check() is None


def test_stub_lies_in_free_ram() -> None:
    (text, code), (data, constants) = stub().blocks
    assert (text, data) == (0x4010_0000, 0x3FFE_8000)
    assert text <= stub().entry < text + len(code)
    assert len(code) % 4 == len(constants) % 4 == 0
    # What is loaded later lies behind what runs by then.
    assert own_late_code()[0] == text + len(code)
    assert len(own_late_code()[1]) % 4 == 0


def test_stub_is_small() -> None:
    code, constants = (len(block) for _, block in stub().blocks)
    assert code <= MOST_CODE
    assert constants <= 256
    assert len(own_late_code()[1]) <= MOST_LATE
