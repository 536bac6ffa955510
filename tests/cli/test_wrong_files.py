"""Files that are no firmware: every command refuses them, with the kind and the words that inspect gives."""

from __future__ import annotations

import struct
import zlib
from typing import Final, NamedTuple

import pytest

from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import FileKind
from tests.formats.containers.test_archive import tarred, zipped
from tests.support import IMAGES, Command, Put, aggregate


def words(text: str) -> str:
    """What was printed, without the breaks of lines."""
    return " ".join(text.split())


def elf(machine: int) -> bytes:
    ident = b"\x7fELF\x01\x01\x01" + bytes(9)
    return ident + struct.pack("<HHIIIIIHHHHHH", 2, machine, 1, 0x8000, 52, 0, 0, 52, 32, 0, 40, 0, 0)


def uf2(family: int) -> bytes:
    head = struct.pack("<8I", 0x0A324655, 0x9E5D5157, 0x2000, 0x10000000, 256, 0, 1, family)
    return head + bytes(256) + bytes(220) + struct.pack("<I", 0x0AB16F30)


def png() -> bytes:
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)), (b"IEND", b""))
    made = [struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)


def program() -> bytes:
    return b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x80) + bytes(0x40) + b"PE\0\0" + bytes(range(256))


class Wrong(NamedTuple):
    """A wrong file: its bytes, its kind, words of the sentence, words of the cure."""

    data: bytes
    kind: FileKind
    sentence: str
    cure: str


INSPECT: Final = "imgtool inspect FILE"
FILES: Final = {
    "page.bin": Wrong(IMAGES["text/page.bin"], FileKind.TEXT, "this is a web page", "download the file"),
    "answer.bin": Wrong(b'{"message": "Not Found"}', FileKind.TEXT, "this is JSON", "download the file"),
    "notes.bin": Wrong(b"some words to read\n", FileKind.TEXT, "this is a text", "download the file"),
    "pointer.bin": Wrong(IMAGES["text/lfs-pointer.bin"], FileKind.TEXT, "(git lfs pull does)", "download"),
    "bad.hex": Wrong(
        b":0400000001020304F3\n:00000001FF\n", FileKind.INTEL_HEX, "in this Intel HEX file: line 1", INSPECT
    ),
    "arm.elf": Wrong(elf(40), FileKind.ELF, "the ELF file is for ARM", "take the build for the ESP8266"),
    "ours.elf": Wrong(IMAGES["elf/sample.elf"], FileKind.ELF, "this is an ELF file", "imgtool build FILE"),
    "doc.pdf": Wrong(b"%PDF-1.4\n\xe2\xe3\0" * 9, FileKind.UNKNOWN, "this is a PDF document", "ends in .bin"),
    "board.png": Wrong(png(), FileKind.UNKNOWN, "this is a PNG image", "ends in .bin"),
    "setup.exe": Wrong(program(), FileKind.UNKNOWN, "this is a Windows program", "ends in .bin"),
    "docs.zip": Wrong(zipped({"a.txt": b"words"}), FileKind.ARCHIVE, "ZIP archive", "unpack it, and name"),
    "docs.tar": Wrong(tarred({"a.txt": b"words"}), FileKind.ARCHIVE, "tar archive", "unpack it, and name"),
    "esp32.bin": Wrong(IMAGES["esp32/flash.bin"], FileKind.ESP32, "of the ESP32, not of", "take the build"),
    "pico.uf2": Wrong(uf2(0xE48BFF56), FileKind.UF2, "in this UF2 file: block 0 is for another", INSPECT),
    "empty.bin": Wrong(b"", FileKind.EMPTY, "the file has no bytes", "build or download the file again"),
    "erased.bin": Wrong(b"\xff" * 0x2_0000, FileKind.BLANK, "this is nothing but erased flash", INSPECT),
    "zeros.bin": Wrong(bytes(0x2_0000), FileKind.UNKNOWN, "every byte is 0x00", INSPECT),
}
COMMANDS: Final = {
    "flash": ("flash", "FILE", "--dry-run"),
    "flash at 0": ("flash", "0x0", "FILE", "--dry-run"),
    "flash for a size": ("flash", "FILE", "--dry-run", "--flash-size", "4MB"),
    "merge": ("merge", "FILE", "-o", "out.bin"),
    "fullimage": ("fullimage", "--size", "4MB", "FILE", "-o", "out.bin"),
    "patch": ("patch", "FILE", "--mode", "dio", "--dry-run"),
    "advise": ("advise", "old.bin", "FILE", "--flash-size", "4MB"),
    "extract": ("extract", "FILE", "-o", "out"),
}
# That a flash is blank is no fault of a file that is taken apart.
TAKEN: Final = {("extract", "erased.bin")}
# These are what they should be, as files.
UNTOLD: Final = ("ours.elf", "erased.bin")
# What is in an archive is looked at: it may hold the firmware that is meant.
LOOKED_INTO: Final = ("flash", "merge", "fullimage", "advise")


@pytest.mark.usefixtures("no_port_set")
@pytest.mark.parametrize("name", FILES)
def test_inspect_names_it(put: Put, imgtool: Command, name: str) -> None:
    wrong = FILES[name]
    put(name, wrong.data)
    run = imgtool("inspect", name)
    row = KINDS[wrong.kind]

    assert run.out.splitlines()[1].startswith(f"{row.words}, ")
    if name not in UNTOLD:
        assert wrong.sentence.removeprefix(f"in this {row.words}: ") in words(run.out)


@pytest.mark.usefixtures("no_port_set")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_refuses_it_with_the_same_words(put: Put, imgtool: Command, command: str) -> None:
    put("old.bin", aggregate("sample"))
    for name, wrong in FILES.items():
        put(name, wrong.data)
        if (command, name) in TAKEN:
            continue
        run = imgtool(*(name if word == "FILE" else word for word in COMMANDS[command]))
        said = words(run.err)
        assert (run.code, run.out) == (3, ""), (name, said)
        assert f"error: {name}: " in said, said
        assert wrong.cure in said, (name, said)
        if wrong.kind is FileKind.ARCHIVE and command.split(maxsplit=1)[0] in LOOKED_INTO:
            assert "a.txt (text, not firmware)" in said, said
        else:
            assert wrong.sentence in said, (name, said)
            # Damaged records are named in the sentence.
            assert KINDS[wrong.kind].words in said, (name, said)
        assert all(len(line) <= 80 for line in run.err.splitlines()), run.err


@pytest.mark.usefixtures("no_port_set")
@pytest.mark.parametrize("name", ["page.bin", "doc.pdf", "esp32.bin", "arm.elf"])
@pytest.mark.parametrize("command", ["flash", "merge", "fullimage"])
def test_in_place_of_the_half_for_0x10000(put: Put, imgtool: Command, command: str, name: str) -> None:
    put("fw/0x00000.bin", "sample/0x00000.bin")
    put("fw/0x10000.bin", FILES[name].data)
    more = {"flash": ("--dry-run",), "merge": ("-o", "o.bin"), "fullimage": ("--size", "4MB")}[command]
    run = imgtool(command, "fw", *more)

    assert (run.code, "0x10000.bin: " in run.err) == (3, True)
    assert FILES[name].sentence in words(run.err)


@pytest.mark.usefixtures("no_port_set")
@pytest.mark.parametrize(
    ("address", "name"), [("0x300000", "notes.bin"), ("0x300000", "zeros.bin"), ("0xfb000", "erased.bin")]
)
def test_data_of_a_user_at_an_address_is_taken(put: Put, imgtool: Command, address: str, name: str) -> None:
    put(name, FILES[name].data)

    assert imgtool("flash", address, name, "--dry-run", "--flash-size", "4MB").code == 0
    assert imgtool("merge", address, name, "-o", "out.bin").code == 0


@pytest.mark.parametrize("name", [name for name, wrong in FILES.items() if wrong.kind is FileKind.UNKNOWN])
def test_a_patch_of_bytes_that_are_not_known_is_the_users_own(put: Put, imgtool: Command, name: str) -> None:
    put(name, FILES[name].data)

    assert imgtool("patch", name, "--write", "0x10=00ff", "--dry-run").code in (0, 1)


def test_a_dump_of_a_flash_that_begins_with_anything_is_merged(put: Put, imgtool: Command) -> None:
    put("dump.bin", bytes(0x8_0000))

    assert imgtool("merge", "dump.bin", "-o", "out.bin").code == 0
