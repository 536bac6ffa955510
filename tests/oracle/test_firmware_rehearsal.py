"""Real NodeMCU rehearsed before a write: the files that it then has, and a write that is refused.

Needs a dump of the boot ROM and the real images; ``nox -s firmware``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from imgtool.device.session import ConnectOptions
from imgtool.engine.inputs import FolderFile, InputFile
from imgtool.engine.jobs.flash import FlashRequest, flash
from imgtool.engine.verdicts import exit_code_of
from imgtool.errors import RehearsalError
from tests.engine.jobs.boards import board
from tests.engine.jobs.boards import flash as content
from tests.oracle.firmware_console import needs_rom
from tests.support import BOOT_ROM, real

pytestmark = [pytest.mark.long, needs_rom]

MB: Final = 1 << 20
EXIT: Final = 8
OWN: Final = (FolderFile("init.lua", b"print('from init')\n"), FolderFile("data.bin", bytes(range(256)) * 9))


def request(image: bytes, **more: object) -> FlashRequest:
    return FlashRequest(
        files=(InputFile("new.bin", image),),
        content=OWN,
        boot_check=False,
        rehearse=InputFile("rom.bin", Path(BOOT_ROM).read_bytes()),
        connect=ConnectOptions(stub="imgtool"),
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    "name", ["nodemcu/nodemcu_integer_0.9.5_20150318.bin", "nodemcu/heikomat-firmware-lfs.bin"]
)
def test_the_firmware_finds_the_files_beforehand(name: str) -> None:
    wire = board(b"", "1MB")

    result = flash(wire, request(real(name)))

    assert result.rehearsal is not None
    assert "from init" in result.rehearsal.log
    (system,) = result.rehearsal.file_systems
    assert {file.path: file.data for file in system.files} == {file.name: file.data for file in OWN}
    assert result.document["results"][0]["rehearsal"]["verdict"] == "runs"
    assert result.transfer is not None


def test_what_does_not_start_is_not_written() -> None:
    """Irom that is cut: the code runs into erased flash."""
    wire = board(b"", "1MB")
    image = real("nodemcu/heikomat-firmware-lfs.bin")
    cut = image[:0x30000] + b"\xff" * (len(image) - 0x30000)

    with pytest.raises(RehearsalError) as caught:
        flash(wire, replace(request(cut, force=frozenset({"damaged", "fit", "place"})), content=None))

    assert exit_code_of(caught.value) == EXIT
    assert content(wire, 0, MB) == b"\xff" * MB
