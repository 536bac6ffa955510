from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from imgtool.cli.input.arguments import UsageError
from imgtool.cli.input.files import read_file, write_file
from tests.support import Command, Put


def names(folder: Path) -> list[str]:
    """All files of a folder, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


def broken(*_: Any, **__: Any) -> Any:  # noqa: ANN401 - stands for any function
    raise OSError(errno.EIO, "Input/output error")


def interrupted(*_: Any, **__: Any) -> Any:  # noqa: ANN401 - stands for any function
    raise KeyboardInterrupt


def test_read(put: Put) -> None:
    assert read_file(put("a.bin", b"abc")) == b"abc"


@pytest.mark.parametrize("name", ["missing", "."])
def test_what_cannot_be_read(folder: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_file(folder / name)


def test_a_new_file(folder: Path) -> None:
    write_file(folder / "out.bin", b"new")

    assert (names(folder), (folder / "out.bin").read_bytes()) == (["out.bin"], b"new")


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_permissions_of_a_new_file_are_the_usual_ones(folder: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write_file(folder / "out.bin", b"new")
    finally:
        os.umask(before)

    assert (folder / "out.bin").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_a_replaced_file_keeps_its_permissions(put: Put, mode: int) -> None:
    path = put("out.bin", b"old")
    path.chmod(mode)
    write_file(path, b"new")

    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", mode)


def test_a_replaced_file_is_another_one(put: Put) -> None:
    path = put("out.bin", b"old")
    with path.open("rb") as reader:
        write_file(path, b"new")

        assert reader.read() == b"old"


def test_a_link_stays_a_link(folder: Path, put: Put) -> None:
    target = put("below/target.bin", b"old")
    link = folder / "out.bin"
    link.symlink_to(target)
    write_file(link, b"new")

    assert (link.is_symlink(), target.read_bytes(), names(folder / "below")) == (True, b"new", ["target.bin"])


@pytest.mark.parametrize("function", ["replace", "fsync", "chmod"])
@pytest.mark.parametrize("fault", [broken, interrupted])
def test_a_fault_leaves_the_old_file_and_nothing_else(
    put: Put, folder: Path, monkeypatch: pytest.MonkeyPatch, function: str, fault: Any  # noqa: ANN401
) -> None:  # fmt: skip
    path = put("out.bin", b"old")
    monkeypatch.setattr(os, function, fault)

    with pytest.raises((UsageError, KeyboardInterrupt)):
        write_file(path, b"new")

    assert (names(folder), path.read_bytes()) == (["out.bin"], b"old")


def test_a_fault_leaves_no_new_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "replace", broken)

    with pytest.raises(UsageError, match="cannot be written: Input/output error"):
        write_file(folder / "out.bin", b"new")

    assert names(folder) == []


@pytest.mark.parametrize("path", ["/dev/full", "missing/out.bin", "."])
def test_where_nothing_can_be_written(folder: Path, path: str) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        write_file(Path(path), b"new")

    assert names(folder) == []


def test_a_device_is_written_to_and_stays() -> None:
    write_file(Path(os.devnull), b"new")

    assert Path(os.devnull).is_char_device()


def test_a_long_name(folder: Path) -> None:
    name = "n" * 250 + ".bin"
    write_file(folder / name, b"new")

    assert names(folder) == [name]


@pytest.mark.parametrize("how", ["same", "symlink", "hardlink", "through-a-folder-link", "dots"])
def test_an_input_is_never_written_over(put: Put, folder: Path, how: str) -> None:
    source = put("below/in.bin", b"input")
    output = folder / "out.bin"
    if how == "same":
        output = source
    elif how == "symlink":
        output.symlink_to(source)
    elif how == "hardlink":
        output.hardlink_to(source)
    elif how == "through-a-folder-link":
        (folder / "link").symlink_to(folder / "below")
        output = folder / "link" / "in.bin"
    else:
        output = folder / "below" / ".." / "below" / "in.bin"

    with pytest.raises(UsageError, match="is an input"):
        write_file(output, b"new", [source])

    assert source.read_bytes() == b"input"


def test_the_commands_do_not_write_over_their_inputs(pair: Path, imgtool: Command) -> None:
    before = (pair / "0x10000.bin").read_bytes()
    run = imgtool("merge", "0x00000.bin", "0x10000.bin", "-o", "0x10000.bin")

    assert (run.code, (pair / "0x10000.bin").read_bytes()) == (2, before)


@pytest.mark.parametrize(
    ("option", "name", "content"),
    [
        ("--filesystem", "files.img", "spiffs/linear.bin"),
        ("--init-data", "init.bin", "init-data/v08.bin"),
        ("--lfs", "lfs.img", "lfs/lfs-5.1.img"),
    ],
)
def test_fullimage_does_not_write_over_what_it_puts_in(
    pair: Path, put: Put, imgtool: Command, option: str, name: str, content: str
) -> None:
    if option == "--lfs":
        put("0x00000.bin", "nodemcu-3.0-2021/0x00000.bin")
        put("0x10000.bin", "nodemcu-3.0-2021/0x10000.bin")
    before = put(name, content).read_bytes()
    if option == "--lfs":
        raw = bytes([0x52]) + b"\xa1\xfa\xfa"
        lfs = bytearray(put("raw.img", "lfs/lfs-5.1.raw").read_bytes())
        lfs[:4] = raw
        before = put(name, bytes(lfs)).read_bytes()
    run = imgtool("fullimage", "--size", "4MB", pair, option, name, "-o", name)

    assert (run.code, (pair / name).read_bytes() == before) == (2, True)


def test_split_writes_nothing_where_one_part_would_be_its_input(
    folder: Path, put: Put, imgtool: Command
) -> None:
    whole = put("0x10000.bin", "aggregated/sample-with-sdk-sectors.bin").read_bytes()
    put("0x00000.bin", b"precious")
    run = imgtool("split", "0x10000.bin")

    assert (run.code, (folder / "0x10000.bin").read_bytes() == whole) == (2, True)
    assert (folder / "0x00000.bin").read_bytes() == b"precious"


def test_a_fault_in_a_command_leaves_the_old_output(
    pair: Path, put: Put, imgtool: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("out.bin", b"old")
    monkeypatch.setattr(os, "replace", broken)
    run = imgtool("merge", pair, "-o", "out.bin")

    assert (run.code, names(pair), (pair / "out.bin").read_bytes()) == (
        2,
        ["0x00000.bin", "0x10000.bin", "out.bin"],
        b"old",
    )
