from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from imgtool.errors import LayoutError, PortError
from imgtool.flash_parts import default_part
from imgtool.virtual.chip import store as stores
from imgtool.virtual.chip.nor import NorFlash
from imgtool.virtual.chip.store import FileStore, MemoryStore

SIZE = 0x8_0000

# A child that works on the flash file and is gone without any cleaning up.
CHILD = """
import os, sys
from imgtool.flash_parts import default_part
from imgtool.virtual.chip.nor import NorFlash
from imgtool.virtual.chip.store import FileStore
flash = NorFlash(default_part({size}), FileStore(sys.argv[1], {size}))
now = flash.program(0, 0x1000, b"kept" * 100)
now = flash.program(now, 0x3000, b"gone")
flash.erase(now, "sector", 0x3000)
os._exit(7)
"""


def test_memory_begins_erased() -> None:
    store = MemoryStore(SIZE)

    assert store.size == SIZE
    assert store.read(0, SIZE) == b"\xff" * SIZE


def test_missing_file_is_made_erased(tmp_path: Path) -> None:
    path = tmp_path / "flash.bin"

    store = FileStore(path, SIZE)
    store.close()
    store.close()

    assert path.read_bytes() == b"\xff" * SIZE
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_written_is_in_the_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "flash.bin"
    store = FileStore(path, SIZE)

    store.write(0x1234, b"here")

    assert path.read_bytes()[0x1234:0x1238] == b"here"
    assert store.read(0x1233, 6) == b"\xffhere\xff"
    store.flush()
    store.close()


def test_a_file_is_opened_again_with_its_content(tmp_path: Path) -> None:
    path = tmp_path / "flash.bin"
    path.write_bytes(bytes(SIZE))

    store = FileStore(path, SIZE)

    assert store.read(0, SIZE) == bytes(SIZE)
    store.close()


def test_operations_survive_the_end_of_the_process(tmp_path: Path) -> None:
    path = tmp_path / "flash.bin"

    child = subprocess.run(
        [sys.executable, "-c", CHILD.format(size=SIZE), str(path)],
        cwd=Path(__file__).parents[3],
        check=False,
    )

    assert child.returncode == 7
    store = FileStore(path, SIZE)
    flash = NorFlash(default_part(SIZE), store)
    assert flash.read(0x1000, 400) == b"kept" * 100
    assert flash.read(0x3000, 0x1000) == b"\xff" * 0x1000
    store.close()


@pytest.mark.parametrize("length", [0, 1, SIZE - 1, SIZE + 1])
def test_wrong_length(tmp_path: Path, length: int) -> None:
    path = tmp_path / "flash.bin"
    path.write_bytes(bytes(length))

    with pytest.raises(LayoutError, match=r"wrong length \(expected 524,288 bytes, found ") as caught:
        FileStore(path, SIZE)

    assert caught.value.source == str(path)
    assert path.read_bytes() == bytes(length)


def test_only_one_owner(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    path = tmp_path / "flash.bin"
    first = FileStore(path, SIZE)

    with pytest.raises(PortError, match="in use by another virtual device"):
        FileStore(path, SIZE)

    first.close()
    FileStore(path, SIZE).close()


def test_a_refused_file_is_not_kept_locked(tmp_path: Path) -> None:
    path = tmp_path / "flash.bin"
    path.write_bytes(bytes(SIZE))
    with pytest.raises(LayoutError):
        FileStore(path, 2 * SIZE)

    FileStore(path, SIZE).close()


def test_a_file_that_cannot_be_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "_mmap", None)
    path = tmp_path / "flash.bin"
    store = FileStore(path, SIZE)
    store.write(0x1000, b"here")

    assert (store.size, store.read(0xFFF, 6)) == (SIZE, b"\xffhere\xff")
    # In the file at once, as others see it.
    assert path.read_bytes()[0x1000:0x1004] == b"here"
    store.flush()
    store.close()
    with pytest.raises(PortError, match="is closed"):
        store.read(0, 1)
    assert path.stat().st_size == SIZE


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PortError, match="cannot be opened"):
        FileStore(tmp_path / "nowhere" / "flash.bin", SIZE)


def test_a_closed_store(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "flash.bin", SIZE)
    store.close()

    with pytest.raises(PortError, match="is closed"):
        store.read(0, 1)
