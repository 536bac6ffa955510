"""Files that a job has made, written into a folder: nothing leads out of it by a link.

Not the writing of single files (files.py), and not the names below the folder, which are the job's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from imgtool.cli.input.files import check_output, real_path, unusable, write_file, write_files
from imgtool.cli.input.parts_folder import is_inside
from imgtool.engine.placing import MANIFEST
from imgtool.errors import UsageError
from imgtool.phrase import Phrase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.engine.results import Output

__all__ = ["make_folder", "write_found_files", "write_parts"]


def write_parts(folder: Path, outputs: Sequence[Output], inputs: Sequence[Path]) -> None:
    """Write the parts of a file, one after the other, the manifest last.

    Args:
        folder: The folder; it is made where it is not there.
        outputs: Files in it.
        inputs: Files that must not be overwritten.

    Raises:
        UsageError: One is an input, or a link, or cannot be written.
    """
    make_folder(folder)
    for output in outputs:
        path = Path(output.name)
        check_output(path, inputs)
        if path.is_symlink() or not is_inside(path, folder):
            raise UsageError(
                Phrase(path, " is a link, and what it leads to is not written over"),
                expected="a file, or nothing",
            )
    for output in outputs:
        write_file(Path(output.name), output.data)


def write_found_files(folder: Path, outputs: Sequence[Output], inputs: Sequence[Path]) -> None:
    """Write files out of a file system, with their folders: all, or none where one cannot be.

    Args:
        folder: The folder; it is made where it is not there.
        outputs: Files below it.
        inputs: Files that must not be overwritten.

    Raises:
        UsageError: The folder holds parts, one is an input, a link or behind one, or cannot be written.
    """
    if (folder / MANIFEST).exists():
        raise UsageError(
            Phrase(folder, " holds parts that were extracted"),
            expected="another folder for the files",
            found=MANIFEST,
        )
    if folder.exists() and not folder.is_dir():
        raise UsageError(Phrase(folder, " is no folder"), expected="a folder for the files")
    home = real_path(folder)
    files = [(Path(output.name), output.data) for output in outputs]
    for path, _ in files:
        if real_path(path) != home / path.relative_to(folder):
            raise UsageError(Phrase(path, " is a link, or lies behind one"))
    for place in sorted({folder, *(path.parent for path, _ in files)}):
        make_folder(place)
    write_files(files, inputs)


def make_folder(folder: Path) -> None:
    """Make a folder, with those that it lies in, where it is not there.

    Raises:
        UsageError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise unusable(Phrase("the folder ", folder), "made", error) from None
