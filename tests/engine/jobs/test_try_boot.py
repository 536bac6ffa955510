"""``imgtool try``: what it refuses without a ROM, and what it says of real firmware with one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imgtool.engine.inputs import InputFile
from imgtool.engine.jobs.virtual.try_boot import TryRequest, TryResult, try_boot
from imgtool.errors import FormatError, LayoutError, UsageError
from tests.support import BOOT_ROM, IMAGES, real

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support import Run

NO_ROM = bytes(65_536)
needs_rom = pytest.mark.skipif(not BOOT_ROM, reason="IMGTOOL_BOOT_ROM names no dump of the boot ROM")


def request(data: bytes, **settings: object) -> TryRequest:
    fields: dict[str, object] = {"rom": NO_ROM, "rom_name": "rom.bin", **settings}
    return TryRequest(files=(InputFile("it.bin", data),), **fields)  # type: ignore[arg-type] # by name


def tried(data: bytes, **settings: object) -> TryResult:
    return try_boot(request(data, rom=Path(BOOT_ROM).read_bytes(), **settings))


IMAGE = IMAGES["sample/0x00000.bin"]


@needs_rom
def test_firmware_that_formats_itself_away() -> None:
    image = bytearray(real("nodemcu/heikomat-firmware-lfs.bin"))
    image[3] = image[3] & 0x0F | 0x40  # 4 MB
    result = tried(bytes(image), size="1MB")

    assert (result.ok, result.code, result.overwritten) == (False, 1, True)
    assert result.words.verdict == "The firmware has overwritten its own image, and stopped."
    assert "more flash than there is" in str(result.words.rows[0])


@needs_rom
def test_firmware_without_its_second_half_is_soon_given_up() -> None:
    result = tried(real("nodemcu/flasher-0x00000.bin"))

    assert (result.ok, result.run.ending.name, result.explanation.verdict.name) == (
        False,
        "REPEATS",
        "EXCEPTION",
    )
    assert result.run.seconds < 10


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        (request(IMAGE), FormatError, "not a dump of the boot ROM"),
        (request(b"<html><body>no</body></html>\n" * 9), FormatError, "this is a web page"),
        (request(b"\xff" * 8192), FormatError, "this is nothing but erased flash"),
        (request(IMAGE, size="256KB"), UsageError, "so little flash"),
        (request(IMAGE, size="3MB"), UsageError, "not a flash size"),
        (request(IMAGE.ljust(0x80001, b"\xff"), size="512KB"), LayoutError, "too small"),
        (
            TryRequest(files=(InputFile("a.bin", IMAGE, 0x10000),), rom=NO_ROM, rom_name="rom.bin"),
            UsageError,
            "nothing is at flash address 0",
        ),
        (
            TryRequest(
                files=(InputFile("a.bin", IMAGE), InputFile("l.img", b"x", "@lfs")),
                rom=NO_ROM,
                rom_name="rom.bin",
            ),
            UsageError,
            "no named places",
        ),
    ],
)
def test_what_is_refused(asked: TryRequest, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        try_boot(asked)


def test_without_a_rom(
    imgtool: Callable[..., Run], put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IMGTOOL_BOOT_ROM", raising=False)
    put("image.bin", "sample/0x00000.bin")

    run = imgtool("try", "image.bin")

    # What the fixture has for code is made up: it is loaded, and crashes.
    assert run.code == 1
    assert "load 0x40100000" in run.out


@needs_rom
def test_nodemcu_starts_and_writes_what_its_first_boot_does() -> None:
    result = tried(real("nodemcu/heikomat-firmware-lfs.bin"))

    assert (result.ok, result.code) == (True, 0)
    assert result.log.rstrip("\n ").endswith(">")
    regions = {region["name"] for region in result.document["results"][0]["written"]}
    assert {"rf-cal", "init-data", "partition-table", "spiffs"} <= regions
    assert [system.files for system in result.file_systems] == [()]


@needs_rom
def test_a_damaged_image_does_not_start() -> None:
    image = bytearray(real("nodemcu/nodemcu_integer_0.9.5_20150318.bin"))
    image[0x100] ^= 1

    result = tried(bytes(image))

    assert (result.ok, result.code) == (False, 1)
    assert "csum err" in result.log
    assert str(result.run.ending) == "the processor waits for ever"


@needs_rom
def test_a_firmware_that_starts_again_and_again() -> None:
    result = tried(real("micropython/firmware-combined-2017.bin"))

    assert (result.ok, result.run.ending.name) == (False, "LOOP")
    assert result.run.boots > 3


@needs_rom
def test_the_time_is_up() -> None:
    result = tried(real("nodemcu/nodemcu_integer_0.9.5_20150318.bin"), seconds=0.1)

    assert result.run.ending.name == "TIME"
    assert result.run.seconds == pytest.approx(0.1, rel=1e-4)


@needs_rom
def test_log_flash_and_document_of_the_command(imgtool: Callable[..., Run], put: Callable[..., Path]) -> None:
    put("image.bin", real("nodemcu/nodemcu_integer_0.9.5_20150318.bin"))

    run = imgtool("boot", "image.bin", "--rom", BOOT_ROM, "--log", "boot.log", "-o", "flash.bin", "--json")

    assert (run.code, run.err) == (0, "")
    (found,) = json.loads(run.out)["results"]
    assert found["ending"] == "quiet"
    assert Path("boot.log").read_bytes().decode("latin-1").replace("\r\n", "\n") == found["log"]
    assert Path("flash.bin").stat().st_size == found["flash_size"] == 4 << 20
