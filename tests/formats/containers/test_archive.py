"""Archives: told by their first and last bytes, opened within limits, never firmware."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import random
import tarfile
import zipfile
from collections.abc import Mapping

import pytest

from imgtool.errors import FormatError
from imgtool.formats.containers import archive
from imgtool.formats.reading import FileKind
from imgtool.formats.registry import identify
from imgtool.operations.inspect.archives import with_members
from imgtool.operations.inspect.describe import describe
from tests.support import IMAGES, aggregate, flipped, said

SAMPLE = aggregate("sample")
FILES = {"README.txt": b"read me first", "bin/nodemcu.bin": SAMPLE}


def zipped(files: Mapping[str, bytes] = FILES, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as target:
        for name, data in files.items():
            target.writestr(zipfile.ZipInfo(name), data, method)
    return made.getvalue()


def tarred(files: Mapping[str, bytes] = FILES, form: int = tarfile.USTAR_FORMAT) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as target:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            target.addfile(info, io.BytesIO(data))
    return made.getvalue()


OPENED = {
    "zip": zipped(),
    "stored zip": zipped(method=zipfile.ZIP_STORED),
    "tar": tarred(),
    "GNU tar": tarred(form=tarfile.GNU_FORMAT),
    "pax": tarred(form=tarfile.PAX_FORMAT),
    "tar.xz": lzma.compress(tarred()),
    "tar.bz2": bz2.compress(tarred()),
}
CLOSED = {
    "7z": bytes.fromhex("377abcaf271c0004") + bytes(100),
    "RAR": b"Rar!\x1a\x07\x01\0" + bytes(100),
    "zstd": bytes.fromhex("28b52ffd") + bytes(100),
    "LZ4": bytes.fromhex("04224d18") + bytes(100),
    "Cabinet": b"MSCF" + bytes(100),
    "ar": b"!<arch>\nmain.o/" + bytes(100),
}


@pytest.mark.parametrize("name", OPENED)
def test_what_is_in_it(name: str) -> None:
    data = OPENED[name]

    assert (identify(data).kind, said(identify(data).findings, "error")) == (FileKind.ARCHIVE, ["archive"])
    assert {member.name: member.data for member in archive.members(data)} == FILES


@pytest.mark.parametrize("name", CLOSED)
def test_what_is_not_looked_into(name: str) -> None:
    reading = identify(CLOSED[name])

    assert (reading.kind, name in reading.findings[0].message) == (FileKind.ARCHIVE, True)
    with pytest.raises(FormatError, match="not firmware: unpack it first"):
        list(archive.members(CLOSED[name]))


@pytest.mark.parametrize("name", ["stored zip", "tar", "GNU tar", "pax"])
def test_a_damaged_start_makes_no_firmware_of_it(name: str) -> None:
    for place in range(512):
        reading = identify(flipped(OPENED[name], place, 0x11))
        assert said(reading.findings, "error"), place


def test_an_old_tar_without_a_magic() -> None:
    data = bytearray(tarred())
    data[257:265] = bytes(8)
    total = sum(data[:148]) + 8 * 32 + sum(data[156:512])
    data[148:156] = f"{total:06o}\0 ".encode()

    assert identify(bytes(data)).kind is FileKind.ARCHIVE


@pytest.mark.parametrize("name", IMAGES)
def test_nothing_else_is_an_archive(name: str) -> None:
    assert archive.archive_of(IMAGES[name]) is None


def test_a_bomb_costs_nothing() -> None:
    bomb = zipped({"small.bin": SAMPLE, "bomb.bin": bytes(archive.MOST_BYTES + 1)})

    small, large = archive.members(bomb)
    assert (small.data, large.data, large.problem) == (SAMPLE, None, "larger than any flash")


def test_a_size_that_is_not_true() -> None:
    data = bytearray(zipped({"a.bin": bytes(1000)}))
    directory = data.index(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = (10).to_bytes(4, "little")

    (member,) = archive.members(bytes(data))
    assert (member.data, member.problem) == (None, "damaged")


def test_what_is_encrypted() -> None:
    data = bytearray(zipped())
    for mark, place in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        start = 0
        while (start := data.find(mark, start)) >= 0:
            data[start + place] |= 1
            start += 4

    assert all("password" in member.problem for member in archive.members(bytes(data)))


@pytest.mark.parametrize("name", OPENED)
def test_any_damage(name: str) -> None:
    """Nothing but FormatError, whatever is wrong."""
    chance = random.Random(name)
    data = OPENED[name]
    for _ in range(60):
        damaged = bytearray(data[: chance.choice((len(data), chance.randrange(len(data))))])
        for _ in range(chance.randrange(8)):
            if damaged:
                damaged[chance.randrange(min(len(damaged), 700))] = chance.randrange(256)
                damaged[-chance.randrange(1, min(len(damaged), 300) + 1)] = chance.randrange(256)
        description = describe(bytes(damaged))
        with_members(bytes(damaged), description)
        with contextlib.suppress(FormatError):
            list(archive.members(bytes(damaged)))


def test_the_files_are_told() -> None:
    data = OPENED["zip"]
    description = with_members(data, describe(data))

    assert description.parts[0].facts == {
        "archive": "ZIP archive",
        "file_count": 2,
        "files": [{"name": "README.txt", "size": 13}, {"name": "bin/nodemcu.bin", "size": len(SAMPLE)}],
    }
    (note,) = (finding.message for finding in description.findings if finding.code == "member")
    assert "bin/nodemcu.bin" in note
    assert "NodeMCU 2.2.0" in note
    assert description.foreign


def test_an_archive_in_a_gzip_file() -> None:
    data = gzip.compress(tarred())
    description = with_members(data, describe(data))

    assert (description.kind, description.ok, description.foreign) == (FileKind.GZIP, False, True)
    assert description.content is not None
    assert any("bin/nodemcu.bin" in finding.message for finding in description.content.findings)


def test_none_of_ours() -> None:
    data = zipped({"a.txt": b"some text"})

    assert "no ESP8266 file is in it" in [f.message for f in with_members(data, describe(data)).findings]


def test_names_are_labels() -> None:
    data = zipped({"../../etc/pa\x1bsswd": b"x"})

    (member,) = archive.members(data)
    assert member.name == "../../etc/pa?sswd"
