from __future__ import annotations

import json
from pathlib import Path

import pytest

from imgtool.virtual.chip.machine import Setup, Stop, VirtualChip
from imgtool.virtual.chip.store import MemoryStore
from tests.support import IMAGES, Command, Put, aggregate, flipped

MARKER = b"hunter2hunter2"  # the password in the dumps, fixtures/README.md
DUMPS = [f"dumps/{name}-1m.bin" for name in ("sdk-boot", "rboot", "rtos3", "tuya-like", "micropython")]
SAMPLE = aggregate("sample")


def changed(data: bytes, offset: int, block: bytes) -> bytes:
    return data[:offset] + block + data[offset + len(block) :]


@pytest.fixture
def files(put: Put) -> None:
    put("a.bin", SAMPLE)
    put("same.bin", SAMPLE)
    put("other.bin", flipped(SAMPLE, 0x18004))
    dump = IMAGES["dumps/nodemcu-2.2-4m.bin"]
    put("flashed.bin", dump)
    put("used.bin", changed(dump, 0x3FD100, b"AccessPoint"))


@pytest.mark.parametrize(
    ("words", "code", "first"),
    [
        (["a.bin", "same.bin"], 0, "The same, byte for byte."),
        (["a.bin", "same.bin", "--exact"], 0, "The same, byte for byte."),
        (["a.bin", "other.bin"], 1, "Different: 1 byte in irom."),
        (["flashed.bin", "used.bin"], 0, "The same but for what the firmware changes by itself."),
        (["flashed.bin", "used.bin", "--exact"], 1, "The same but for what the firmware changes by itself."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.usefixtures("files")
def test_verdict_and_exit_code(imgtool: Command, words: list[str], code: int, first: str) -> None:
    run = imgtool("compare", *words)

    assert (run.code, run.out.splitlines()[0], run.err) == (code, first, "")


@pytest.mark.usefixtures("files")
def test_what_is_said_of_a_changed_byte(imgtool: Command) -> None:
    lines = [line.strip() for line in imgtool("compare", "a.bin", "other.bin").out.splitlines()]

    assert "irom                0x010000  120,244  differs  1 byte" in lines
    assert "1 byte differs, at 0x018004 (0x40218004)" in lines


@pytest.mark.usefixtures("files")
def test_json(imgtool: Command) -> None:
    run = imgtool("compare", "a.bin", "other.bin", "--json")
    document = json.loads(run.out)
    (result,) = document["results"]
    irom = next(region for region in result["regions"] if region["name"] == "irom")

    assert (run.code, document["command"], document["ok"]) == (1, "compare", False)
    assert set(result) == {"a", "b", "same", "verdict", "regions", "fields", "patterns", "notes"}
    assert (result["a"]["path"], result["a"]["kind"], result["same"]) == ("a.bin", "aggregated", False)
    assert irom == {
        "kind": "irom",
        "name": "irom",
        "offset_a": 0x10000,
        "offset_b": 0x10000,
        "size_a": 120244,
        "size_b": 120244,
        "size": 120244,
        "state": "differs",
        "reason": "",
        "bytes": 1,
        "first": 0x18004,
        "address": 0x40218004,
        "sectors": 1,
    }


def test_a_wrapped_file(put: Put, imgtool: Command) -> None:
    put("a.gz", "gzip/sample.bin.gz")
    put("b.bin", "sample/0x00000.bin")
    run = imgtool("compare", "a.gz", "b.bin")
    result = json.loads(imgtool("compare", "a.gz", "b.bin", "--json").out)["results"][0]

    assert (run.code, run.out.splitlines()[0]) == (0, "The same contents, byte for byte.")
    assert "A is a gzip file: its contents are compared." in run.out
    assert (result["a"]["kind"], result["a"]["content"]["kind"]) == ("gzip", "image-v1")


def test_a_file_that_is_not_there(put: Put, imgtool: Command) -> None:
    put("a.bin", SAMPLE)
    run = imgtool("compare", "a.bin", "b.bin")

    assert (run.code, "b.bin cannot be read" in run.err) == (2, True)


@pytest.mark.parametrize("name", DUMPS)
def test_the_output_fits_and_tells_no_secrets(put: Put, imgtool: Command, name: str) -> None:
    put("a.bin", IMAGES[name])
    put("b.bin", IMAGES["dumps/sdk-boot-2-slots-1m.bin"].replace(MARKER, b"x" * len(MARKER)))
    for words in (["a.bin", "b.bin"], ["b.bin", "a.bin"]):
        out = imgtool("compare", *words).out
        told = out + (imgtool("compare", *words, "--json").out if words[0] == "a.bin" else "")

        assert [line for line in out.splitlines() if len(line) > 80 or line != line.rstrip()] == []
        assert [word for word in (MARKER.decode(), "SecretNetwork", MARKER.hex()) if word in told] == []


def fresh(name: str, put: Put, imgtool: Command, folder: Path, size: str = "4MB") -> bytes:
    """A full image with a blank place for init data, as ``full.bin``."""
    put("0x00000.bin", f"{name}/0x00000.bin")
    put("0x10000.bin", f"{name}/0x10000.bin")
    made = imgtool("fullimage", "--size", size, "0x00000.bin", "0x10000.bin", "-o", "full.bin")
    assert made.code == 0, made.err
    place = {"nodemcu-3.0-2021": 0xF000, "nodemcu-3.0-2019": 0xC000}.get(name, 0x3FC000)
    return put("full.bin", changed((folder / "full.bin").read_bytes(), place, b"\xff" * 0x1000)).read_bytes()


@pytest.mark.parametrize("name", ["sample", "nodemcu-0.9.5", "nodemcu-3.0-2019", "nodemcu-3.0-2021"])
def test_a_flash_after_its_first_boot(name: str, folder: Path, put: Put, imgtool: Command) -> None:
    """The virtual chip writes what that firmware is documented to write, and nothing else differs."""
    content = fresh(name, put, imgtool, folder)
    store = MemoryStore(len(content))
    store.write(0, content)
    chip = VirtualChip(Setup(store=store, boot_writes=True))
    chip.power_on(download=False)
    for _ in range(10_000):
        chip.uart.drain()
        if chip.run(60_000_000_000) is Stop.IDLE:
            break
    put("back.bin", chip.flash.read(0, len(content)))
    run = imgtool("compare", "full.bin", "back.bin")

    assert (run.code, run.out.splitlines()[0]) == (
        0,
        "The same but for what the firmware changes by itself.",
    ), run.out
    assert imgtool("compare", "back.bin", "full.bin").code == 1


@pytest.mark.long
def test_flashed_booted_read_back(folder: Path, put: Put, imgtool: Command) -> None:
    """The same by the commands that a user gives."""
    fresh("nodemcu-3.0-2021", put, imgtool, folder, "1MB")
    port = "sim:1MB,flash=flash.bin,boot-writes"
    flashed = imgtool("flash", "-p", port, "full.bin", "--init-data", "none")
    assert flashed.code == 0, flashed.err
    assert imgtool("read", "-p", port, "-o", "back.bin").code == 0
    run = imgtool("compare", "full.bin", "back.bin")

    assert (run.code, "by firmware" in run.out) == (0, True), run.out
