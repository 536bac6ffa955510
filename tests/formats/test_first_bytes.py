"""Files whose first bytes are damaged are named as what they are, and never taken for irom."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgtool.formats.reading import FileKind
from imgtool.formats.registry import identify
from imgtool.operations.patch.steps import Changes, patch
from tests.support import IMAGES, flipped, read_case, said

USER1 = IMAGES["v2/user1.bin"]


def one_wrong(data: bytes, size: int) -> list[bytes]:
    return [flipped(data, place, mask) for place in range(size) for mask in (0x01, 0x40, 0x80, 0xFF)]


MAGICS = {
    "sample/0x00000.bin": 1,
    "arduino/core-3.1.bin": 1,
    "v2/user1.bin": 2,
    "v2/no-tail.bin": 2,
    "elf/sample.elf": 4,
    "uf2/plain.uf2": 4,
    "gzip/sample.bin.gz": 3,
    "tuya/ota.bin": 4,
    "hex/sample.hex": 1,
    "srec/sample.s37": 1,
    "rtos3/partitions.bin": 2,
}


@pytest.mark.parametrize("name", MAGICS)
def test_one_wrong_byte(name: str) -> None:
    right = identify(IMAGES[name])
    for data in one_wrong(IMAGES[name], MAGICS[name]):
        reading = identify(data)
        if data[:1] in (b"\xe9", b"\xea", b":", b"S") and reading.kind is not right.kind:
            continue  # it begins as another format does
        assert (reading.kind, said(reading.findings, "error")) == (right.kind, ["magic"]), data[:4].hex()
        assert reading.parts == right.parts


@pytest.mark.parametrize("start", [b"\x00\x00", b"\xff\xff", b"\xeb\x05"])
def test_both_bytes_of_a_version_2_image(start: bytes) -> None:
    (finding,) = (f for f in identify(start + USER1[2:]).findings if f.code == "magic")

    assert (finding.offset, start.hex(" ") in finding.message, "ea 04" in finding.message) == (0, True, True)


def test_a_version_2_image_that_has_more_damage() -> None:
    reading = identify(flipped(flipped(USER1, 1), 1000))

    assert (reading.kind, said(reading.findings, "error")) == (FileKind.IMAGE_V2, ["magic", "crc"])


def test_an_elf_file_without_a_magic_that_is_cut() -> None:
    data = bytes(4) + IMAGES["elf/sample.elf"][4:-200]

    reading = identify(data)
    assert (reading.kind, said(reading.findings, "error")[:1]) == (FileKind.ELF, ["magic"])


@pytest.mark.parametrize(
    "data",
    [
        b"\xeb\x04" + USER1[2:16] + bytes(len(USER1) - 16),  # no image inside
        b"\xeb\x04" + USER1[2:100],  # it would begin behind the end
        b"\x1f\x8c\x08" + IMAGES["gzip/sample.bin.gz"][3:-8] + bytes(8),  # the CRC is wrong, too
        b"\x7eELF" + bytes(100),
        b"UF3\n" + bytes(508),
        b"the text\n:is none\n",
        b"Sentences\nStand here\n",
    ],
)
def test_what_is_something_else(data: bytes) -> None:
    assert "magic" not in said(identify(data).findings, "error")


@pytest.mark.parametrize("place", [0, 1])
def test_a_version_2_image_is_repaired(place: int) -> None:
    assert patch(flipped(USER1, place, 0x10), Changes(repair=True)).data == USER1


def test_real_files(corpus: Path) -> None:
    """Every real file whose magic has a wrong bit is damaged; a raw irom part has no magic."""
    for path in sorted(path for path in corpus.rglob("*.bin") if path.is_file()):
        data = path.read_bytes()
        right = identify(data)
        if right.kind is FileKind.IMAGE_V2:
            for damaged in one_wrong(data, 2):
                assert said(identify(damaged).findings, "error") == ["magic"], path.name
        elif data[:1] == b"\xe9" and said(right.findings, "error") == []:
            assert said(identify(flipped(data, 0)).findings, "error") == ["magic"], path.name


def test_the_real_elf_file(corpus: Path) -> None:
    data = (corpus / "elf/esp8266-nonosssdk20-iotdemo.elf").read_bytes()

    for damaged in one_wrong(data, 4):
        reading = identify(damaged)
        assert (reading.kind, said(reading.findings, "error")) == (FileKind.ELF, ["magic"])


def test_the_case_of_a_wrong_second_byte(corpus: Path) -> None:
    reading = identify(read_case(corpus, "fuzz", "03-v2-byte1.bin"))

    assert (reading.kind, said(reading.findings, "error")) == (FileKind.IMAGE_V2, ["magic"])
