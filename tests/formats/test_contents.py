from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures import blocks, dumps
from imgtool.chip import ROM_SIZE
from imgtool.formats.contents import hint_of, is_boot_rom
from imgtool.formats.reading import FileKind
from imgtool.operations.inspect.describe import describe
from tests.support import BOOT_ROM, IMAGES

NOISE: bytes = blocks.stream("contents", 0x4000)
PADDED = b"\xff" * 0x1000

CONTENTS = {
    "compressed or encrypted (7.9 bits a byte)": NOISE,
    "text": b"print('hello')\n" * 200,
    "code": IMAGES["sample/0x10000.bin"][0x1000:0x4000],
    "sparse data": NOISE[:100] + PADDED,
    "gzip data": b"\x1f\x8b\x08\0" + NOISE,
    "a PNG image": b"\x89PNG\r\n\x1a\n" + NOISE,
    "a JPEG image": b"\xff\xd8\xff\xe0" + NOISE,
    "a ZIP archive": b"PK\x03\x04" + NOISE,
    "PEM text, such as a key or a certificate": b"-----BEGIN RSA PRIVATE KEY-----\n" + NOISE,
    "a FAT volume": dumps.fat_volume(20, b"BOOT    PY ", b"x"),
    "data (6.0 bits a byte)": bytes(value % 64 + 0x80 for value in NOISE),
}


@pytest.mark.parametrize("words", CONTENTS)
def test_what_bytes_look_like(words: str) -> None:
    data = CONTENTS[words]

    assert hint_of(PADDED + data + PADDED, len(PADDED), len(PADDED) + len(data)).words == words


def test_short_text_with_erased_flash_behind_it() -> None:
    assert hint_of(b'{"a": "b", "c": "d", "e": "f", "g": 1}' + PADDED, 0, 0x1000).words == "text"


@given(st.binary(max_size=5000), st.integers(0, 5000), st.integers(0, 5000))
def test_any_bytes_have_a_hint(data: bytes, start: int, stop: int) -> None:
    hint = hint_of(data, start, min(stop, len(data)))

    assert 0 <= hint.entropy <= 8
    assert hint.words


def test_a_boot_rom_is_known_by_its_digest() -> None:
    data = bytes(range(256)) * (ROM_SIZE // 256)
    digest = hashlib.sha256(data).hexdigest()
    assert [is_boot_rom(each, digest) for each in (data, data + b"\0", data[:-1] + b"\0")] == [
        True,
        False,
        False,
    ]
    assert not is_boot_rom(data)


@pytest.mark.skipif(not BOOT_ROM, reason="IMGTOOL_BOOT_ROM names no dump of the boot ROM")
def test_the_boot_rom_is_named() -> None:
    description = describe(Path(BOOT_ROM).read_bytes())
    assert (description.kind, description.foreign) == (FileKind.UNKNOWN, True)
    assert description.findings[0].message.startswith("this is the boot ROM of the chip")
