"""Jobs with a firmware of which only the code tells by which formula the magics of its SPIFFS are.

A real build of NodeMCU 2.1.0 that names no branch.  With the boot ROM it was run: it has the old magics.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

from fixtures.upgrades import MB
from imgtool.device.session import ConnectOptions
from imgtool.engine.inputs import FolderFile, InputFile
from imgtool.engine.jobs.flash import FlashRequest, flash
from imgtool.engine.jobs.fullimage import FullImageRequest, fullimage
from imgtool.formats.filesystems.spiffs import signature_at
from imgtool.operations.upgrade.values import Topic
from tests.advice import advise
from tests.engine.jobs.boards import board
from tests.engine.jobs.boards import flash as content
from tests.nodemcu_files import RELEASES, contents, mounted, with_files
from tests.support import flashed, real

RELEASE: Final = {release.name: release for release in RELEASES}
WHOLE: Final = "nodemcu/yuan-nodemcu_integer.bin"
PAIR: Final = ("nodemcu/yuan-0x00000.bin", "nodemcu/yuan-0x10000.bin")
START: Final = 0x8_0000
FILES: Final = {b"init.lua": b"print('hello')\n", b"data.txt": bytes(range(256)) * 5}
IROM_END: Final = 0x20000


def made(*files: InputFile, size: str = "1MB") -> bytes:
    own = tuple(FolderFile(name.decode(), data) for name, data in FILES.items())
    return fullimage(FullImageRequest(files=files, size=size, content=own)).image.data


def formula_in(data: bytes) -> str | None:
    signature = signature_at(data, START)
    return None if signature is None else signature.formula


def on(data: bytes, release: str) -> dict[bytes, bytes]:
    found = mounted(RELEASE[release], data, 0x69170)
    assert found is not None, "it formats"
    return contents(found[1])


@pytest.mark.parametrize("size", ["512KB", "1MB", "4MB"])
def test_fullimage_with_files(size: str) -> None:
    data = made(InputFile("nodemcu.bin", real(WHOLE)), size=size)

    assert on(data, "2.1.0-20170521") == FILES


def test_fullimage_of_a_pair() -> None:
    halves = (InputFile(f"{at}.bin", real(name), at) for at, name in zip((0, 0x10000), PAIR, strict=True))

    assert formula_in(made(*halves)) == "old"


@pytest.mark.parametrize(
    ("release", "verdict"),
    [("2.1.0-20170521", "kept"), ("2.1.0-20170811", "formatted"), ("2.2.1", "formatted")],
)
def test_advice_is_known(release: str, verdict: str) -> None:
    before = with_files(RELEASE[release], MB, 0x60000, FILES)
    advice = advise(before, real(WHOLE))
    point = advice.point(Topic.FILES)

    assert point is not None
    assert (point.verdict, "some builds" in str(point.reason)) == (verdict, False)


@pytest.mark.long
@pytest.mark.parametrize("release", ["2.1.0-20170521", "2.2.1", "1.5.1"])
def test_files_are_kept_by_flash(release: str) -> None:
    wire = board(with_files(RELEASE[release], MB, IROM_END, FILES), "1MB")
    options: dict[str, Any] = {"connect": ConnectOptions(stub="imgtool"), "boot_check": False}
    files = (InputFile("nodemcu.bin", real(WHOLE)),)

    result = flash(wire, FlashRequest(files=files, keep_files=True, **options), save=lambda _: "copy.bin")

    assert result.ok
    assert on(content(wire, 0, MB), "2.1.0-20170521") == FILES


def test_files_of_it_are_known_when_it_is_the_old_one() -> None:
    before = flashed(b"\xff" * MB, made(InputFile("nodemcu.bin", real(WHOLE))))
    advice = advise(before, RELEASE["2.2.1"].image())
    point = advice.point(Topic.FILES)

    assert point is not None
    assert point.verdict == "formatted"
