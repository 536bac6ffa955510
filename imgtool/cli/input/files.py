"""Files that the user names: read whole, written whole or not at all.

The only place that opens them.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TextIO

from imgtool.errors import UsageError
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = [
    "check_name",
    "check_new",
    "check_output",
    "open_lines",
    "open_recording",
    "read_file",
    "unusable",
    "write_file",
    "write_files",
    "write_new_file",
]

_MOST: Final = 1 << 28  # bytes: sixteen of the largest flashes, and any ELF file of a program for one
_NO_RIGHT: Final = {
    "read": "its permissions do not let you read it: ask its owner, or change them",
    "written": "you may not write there: choose another folder",
    "made": "you may not write there: choose another folder",
}
_NOT_THERE: Final = {
    "read": "look at the spelling, and at the folder: a name counts from the folder that you are in",
    "written": "its folder has to be there: make it, or choose another",
    "made": "choose another folder",
}
_HINTS: Final = {
    errno.ENOENT: _NOT_THERE,
    errno.ENOTDIR: {
        "read": _NOT_THERE["read"],
        "written": "a file stands where its folder should be: choose another",
        "made": "a file stands where a folder should be: choose another",
    },
    errno.EISDIR: {
        "read": "name a file in that folder",
        "written": "name a file, in that folder or elsewhere",
    },
    errno.ELOOP: dict.fromkeys(
        ("read", "written", "made"), "links lead in a circle there: name the file itself"
    ),
    errno.ENAMETOOLONG: dict.fromkeys(
        ("read", "written", "made"), "no file can have so long a name: choose a shorter one"
    ),
    errno.EEXIST: {"made": "a file has that name: choose another for the folder"},
    errno.EACCES: _NO_RIGHT,
    errno.EPERM: _NO_RIGHT,
    errno.EROFS: dict.fromkeys(("written", "made"), "nothing can be written there: choose another folder"),
    errno.ENOSPC: dict.fromkeys(("written", "made"), "the disk is full: make room, or choose another one"),
}
"""What to do where a file cannot be used, by the system's reason and by what was to be done with it."""


def read_file(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MOST + 1)
    except (OSError, ValueError) as error:
        raise unusable(path, "read", error) from None
    if len(data) > _MOST:
        # A device such as /dev/zero has no end.
        raise UsageError(
            Phrase(path, " is too large for a file of firmware"),
            expected=f"at most {_MOST:,} bytes",
            found="more",
        )
    return data


def unusable(
    what: Path | str, done: Literal["read", "written", "made", "used"], error: OSError | ValueError
) -> UsageError:
    """The error for a file or folder that cannot be used, with a hint that goes with the reason."""
    refusal = UsageError(Phrase(what, f" cannot be {done}: {_reason_of(error)}"))
    if isinstance(error, OSError) and error.errno is not None:
        refusal.hint = _HINTS.get(error.errno, {}).get("read" if done == "used" else done)
    return refusal


def _reason_of(error: OSError | ValueError) -> str:
    """Why a file cannot be used; names with a null byte in them are no OSError."""
    return (error.strerror or "") if isinstance(error, OSError) else str(error)


def real_path(path: Path) -> Path:
    """The path with links followed, also where nothing is there yet.

    Raises:
        UsageError: No file can have that name, or its links lead in a circle or to where nobody may look.
    """
    try:
        real = Path(os.path.realpath(path))
        in_a_circle = real.is_symlink()
    except OSError as error:
        raise unusable(path, "written", error) from None
    except ValueError as error:
        raise UsageError(Phrase(Name(repr(path)), f" is no name for a file: {error}")) from None
    if in_a_circle:
        raise unusable(path, "written", OSError(errno.ELOOP, os.strerror(errno.ELOOP)))
    return real


def check_output(path: Path, inputs: Iterable[Path]) -> None:
    """Refuse an output that is one of the inputs.

    Raises:
        UsageError: It is.
    """
    target = real_path(path)
    for source in inputs:
        if target.exists() and source.exists() and target.samefile(source):
            raise UsageError(Phrase(path, " is an input; name another output"))


def check_name(output: Path) -> None:
    """Look at the name of an output before the long work that is to fill it.

    Raises:
        UsageError: No file can have it.
    """
    real_path(output)
    try:
        output.lstat()
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        raise unusable(output, "written", error) from None


def write_file(path: Path, data: bytes, inputs: Iterable[Path] = ()) -> None:
    """Write a file beside its place and rename it there, so that it is never half written.

    Args:
        path: Where to write; an existing file is replaced and keeps its permissions.
        data: The bytes.
        inputs: Files that must not be overwritten.

    Raises:
        UsageError: It is one of the inputs, or it cannot be written.
    """
    # A link stays a link: what it points to is replaced.
    target = real_path(path)
    check_output(path, inputs)
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)  # a device or a pipe cannot be renamed over
        else:
            _replace(target, data)
    except (OSError, ValueError) as error:
        raise unusable(path, "written", error) from None


def write_new_file(path: Path, data: bytes) -> None:
    """Write a file that is not there yet, never half, and see that it holds what it should.

    Args:
        path: Where to write.
        data: The bytes.

    Raises:
        UsageError: Something has that name, or it cannot be written, or reads back differently.
    """
    target = real_path(path)
    check_new(path)
    try:
        beside = _beside(target)
        try:
            _stage(beside, target, data)
            _rename_new(beside, target)
        finally:
            beside.unlink(missing_ok=True)
    except FileExistsError:
        raise _taken(path) from None
    except (OSError, ValueError) as error:
        raise unusable(path, "written", error) from None
    if read_file(path) != data:
        raise UsageError(Phrase(path, " does not hold what was written to it: choose another disk"))


def check_new(path: Path) -> None:
    """Refuse a name that something has.

    Raises:
        UsageError: Something has it.
    """
    if os.path.lexists(path):
        raise _taken(path)


def _taken(path: Path) -> UsageError:
    refusal = UsageError(Phrase(path, " is there already"))
    refusal.hint = "choose another name: a backup replaces no file"
    return refusal


def _rename_new(beside: Path, target: Path) -> None:
    """Rename to a name that nothing has; a plain rename would replace what came there meanwhile."""
    try:
        os.link(beside, target)
    except FileExistsError:
        raise
    except OSError:  # a disk without links
        if target.exists():
            raise FileExistsError from None
        beside.rename(target)


def write_files(files: Sequence[tuple[Path, bytes]], inputs: Iterable[Path] = ()) -> None:
    """Write files that belong together: all are written beside their places before the first is renamed.

    Args:
        files: Where to write what.
        inputs: Files that must not be overwritten.

    Raises:
        UsageError: One is an input, is no file, or cannot be written; then none is.
    """
    sources = list(inputs)
    staged: list[tuple[Path, Path]] = []
    try:
        for path, data in files:
            check_output(path, sources)
            if path.exists() and not path.is_file():
                raise UsageError(Phrase(path, " cannot be written: something that is no file stands there"))
            try:
                real_path(path)
                # A link is replaced, not what it leads to: these names are no choice of the user's.
                staged.append((_beside(path), path))
                _stage(staged[-1][0], path, data)
            except (OSError, ValueError) as error:
                raise unusable(path, "written", error) from None
        for beside, target in staged:
            beside.replace(target)
    finally:
        for beside, _ in staged:
            beside.unlink(missing_ok=True)


@contextmanager
def open_lines(path: Path | None) -> Iterator[TextIO | None]:
    """A file for lines of which each is written at once, so that a run that breaks off leaves those before.

    Raises:
        UsageError: It cannot be written.
    """
    if path is None:
        yield None
        return
    try:
        file = path.open("w", encoding="utf-8", newline="\n", buffering=1)
    except (OSError, ValueError) as error:
        raise unusable(path, "written", error) from None
    with file:
        yield file


@contextmanager
def open_recording(path: Path | None) -> Iterator[Callable[[bytes], None]]:
    """A file for bytes that come in, of which each are written at once, behind what is there.

    Args:
        path: Where; None for nowhere.

    Yields:
        What writes bytes; it raises ``UsageError`` where that is not possible any more.

    Raises:
        UsageError: It cannot be written.
    """
    if path is None:
        yield lambda _: None
        return
    try:
        file = path.open("ab", buffering=0)
    except (OSError, ValueError) as error:
        raise unusable(path, "written", error) from None

    def write(data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[file.write(left) or 0 :]
        except OSError as error:
            raise unusable(path, "written", error) from None

    with file:
        yield write


def _replace(target: Path, data: bytes) -> None:
    beside = _beside(target)
    try:
        _stage(beside, target, data)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def _beside(target: Path) -> Path:
    """A name beside a target; known before the file is made, so that no signal leaves one behind."""
    return target.parent / f".imgtool-{os.urandom(8).hex()}"


def _stage(beside: Path, target: Path, data: bytes) -> None:
    """Make a file with the bytes and the permissions of a target, to be renamed over it."""
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~_umask()
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.chmod(mode)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
