"""What checks say of themselves: over which bytes they are, and where they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgtool.formats.checksums import stored_bytes, value_of
from imgtool.formats.reading import Checksum
from imgtool.operations.inspect.describe import describe
from tests.support import IMAGES, real

# gzip's CRC is over what is inside; the check of an image for another chip is not ours to compute.
WITHOUT_COVER = ("crc32",)
HIGHEST_FIRST = ("md5", "sha256", "sum32")


def by_its_cover(data: bytes, check: Checksum) -> tuple[int, int]:
    """The stored and the computed value, as the cover says to find them."""
    assert check.cover is not None
    copy = bytearray(data)
    if check.cover.zeroed is not None:
        start, stop = check.cover.zeroed
        copy[start:stop] = bytes(stop - start)
    computed = value_of(check.algorithm, [bytes(copy[start:stop]) for start, stop in check.cover.spans])
    place = check.cover.place
    stored = data[place : place + check.bits // 8]
    return int.from_bytes(stored, "big" if check.algorithm in HIGHEST_FIRST else "little"), computed


def check_covers(data: bytes) -> int:
    count = 0
    for part, check in describe(data).checksums:
        if check.cover is None:
            continue
        count += 1
        assert by_its_cover(data, check) == (check.stored, check.computed), part
        assert data[check.cover.place :].startswith(stored_bytes(check.algorithm, check.stored, check.bits))
    return count


def test_every_check_of_every_image_is_what_its_cover_gives() -> None:
    assert sum(check_covers(data) for data in IMAGES.values()) > len(IMAGES) // 2


def test_only_known_checks_have_no_cover() -> None:
    bare = {
        (name, check.algorithm)
        for name, data in IMAGES.items()
        for _, check in describe(data).checksums
        if check.cover is None and describe(data).kind != "esp32"
    }

    assert {algorithm for _, algorithm in bare} <= set(WITHOUT_COVER), bare


def test_every_check_of_every_real_image_is_what_its_cover_gives(corpus: Path) -> None:
    names = [path.relative_to(corpus) for path in sorted(corpus.rglob("*.bin"))]

    assert sum(check_covers(real(str(name))) for name in names) >= 20


@pytest.mark.parametrize("algorithm", ["xor8", "sdk-crc32", "crc32-mpeg2", "crc32-otadata", "md5", "sha256"])
def test_blocks_are_taken_one_after_the_other(algorithm: str) -> None:
    assert value_of(algorithm, [b"abc", b"", b"defgh"]) == value_of(algorithm, [b"abcdefgh"])
