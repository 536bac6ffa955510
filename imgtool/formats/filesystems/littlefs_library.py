"""The library that writes LittleFS, littlefs-python, on flash in memory.

It also reads for littlefs_files.py, which keeps it from hostile metadata.  Here it is given what is new, or
what littlefs_metadata.py found sound.

Source: https://github.com/jrast/littlefs-python.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

from imgtool.errors import UsageError
from imgtool.formats import fill
from imgtool.formats.filesystems.littlefs_files import ENCODING, has_library

if TYPE_CHECKING:
    from littlefs import LittleFS

    from imgtool.formats.filesystems.littlefs_shape import LittleFsShape
    from imgtool.formats.filesystems.stored_files import NewFile

__all__ = ["Flash", "LibraryError", "Writer", "need_library", "opened"]

_ROOT: Final = "/"
_LOOKAHEAD_UNIT: Final = 8


class LibraryError(Exception):
    """The library does not do it, mostly because there is no room."""


def need_library() -> None:
    """Refuse to go on without it.

    Raises:
        UsageError: It is not there.
    """
    if not has_library():
        raise UsageError("LittleFS cannot be written here", expected="the package littlefs-python")


class Flash:
    """Flash in memory that the library works on: erased where nothing is, and writing clears bits.

    Args:
        block_size: Bytes of a block.
        image: What is in it.
    """

    def __init__(self, block_size: int, image: bytes = b"") -> None:
        self._size, self._image = block_size, image
        self._written: dict[int, bytearray] = {}

    def image(self, blocks: int) -> bytes:
        """The first blocks of it."""
        return b"".join(self._block(number) for number in range(blocks))

    def _block(self, number: int) -> bytes | bytearray:
        written = self._written.get(number)
        if written is not None:
            return written
        found = self._image[number * self._size : (number + 1) * self._size]
        return found.ljust(self._size, bytes([fill.ERASED]))

    # An exception in here would be printed by the library and ignored.

    def read(self, _: object, block: int, off: int, size: int) -> bytes:
        """Bytes of a block."""
        return bytes(self._block(block)[off : off + size])

    def prog(self, _: object, block: int, off: int, data: bytes) -> int:
        """Write into a block: over what is not erased, as flash does it."""
        content = self._written.setdefault(block, bytearray(self._block(block)))
        there = content[off : off + len(data)]
        if there.count(fill.ERASED) < len(data):
            both = int.from_bytes(there, "little") & int.from_bytes(data, "little")
            data = both.to_bytes(len(data), "little")
        content[off : off + len(data)] = data
        return 0

    def erase(self, _: object, block: int) -> int:
        """Erase a block."""
        self._written[block] = bytearray([fill.ERASED]) * self._size
        return 0

    def sync(self, _: object) -> int:
        """Nothing waits to be written."""
        return 0


class Writer:
    """The calls of the library that write, by names as they are stored.

    Each raises :class:`LibraryError` where the library does not do it.
    """

    def __init__(self, system: LittleFS) -> None:
        self._system = system

    @property
    def used(self) -> int:
        """How many blocks are in use."""
        with _refusals():
            return self._system.used_block_count

    def make_folder(self, name: bytes) -> None:
        """Make a folder in one that is there."""
        with _refusals():
            self._system.mkdir(name.decode(ENCODING))

    def write(self, file: NewFile) -> None:
        """Write a file into a folder that is there."""
        from littlefs import lfs  # noqa: PLC0415 - see below

        with _refusals():
            handle = lfs.file_open(self._system.fs, file.name.decode(ENCODING), "w", ENCODING)
            try:
                lfs.file_write(self._system.fs, handle, file.data)
            finally:
                lfs.file_close(self._system.fs, handle)
        self.set_attributes(file.name, file.attributes)

    def set_attributes(self, name: bytes, attributes: Sequence[tuple[int, bytes]]) -> None:
        """Give attributes to a file or a folder; the root has an empty name."""
        with _refusals():
            for number, value in sorted(attributes):
                self._system.setattr(name.decode(ENCODING) or _ROOT, number, value or _Empty(1))

    def remove(self, name: bytes) -> None:
        """Remove a file."""
        with _refusals():
            self._system.remove(name.decode(ENCODING))


@contextmanager
def opened(
    flash: Flash, shape: LittleFsShape, blocks: int, *, block_cycles: int, is_new: bool
) -> Iterator[Writer]:
    """A file system in a flash that is to be written.

    The library is given room for whole blocks, and a map of all of them.  So it is quicker than with the
    buffers of the firmware, and writes the same.

    Args:
        flash: The flash.
        shape: How it is laid out.
        blocks: How many it has, whatever the shape says.
        block_cycles: Writes of a metadata block before it is moved, -1 for never.
        is_new: Whether it is formatted before.

    Raises:
        LibraryError: The library does not mount it.
        UsageError: The library is not there.
    """
    need_library()
    from littlefs import LittleFS  # noqa: PLC0415 - takes longer than all the rest of a run

    system = LittleFS(
        cast("Any", flash),  # it has what the library asks of its own class
        mount=False,
        filename_encoding=ENCODING,
        block_size=shape.block_size,
        block_count=blocks,
        read_size=shape.block_size,
        prog_size=shape.prog_size,
        cache_size=shape.block_size,
        lookahead_size=-(-blocks // (8 * _LOOKAHEAD_UNIT)) * _LOOKAHEAD_UNIT,
        inline_max=shape.inline_max,
        block_cycles=block_cycles,
        name_max=shape.name_max,
        disk_version=shape.version_number,
    )
    with _refusals():
        if is_new:
            system.format()
        system.mount()
    try:
        yield Writer(system)
    finally:
        system.unmount()


@contextmanager
def _refusals() -> Iterator[None]:
    from littlefs import LittleFSError  # noqa: PLC0415 - see above

    try:
        yield
    except LittleFSError as error:
        raise LibraryError(error.name) from error
    except OSError as error:  # the library has these for some of its own
        raise LibraryError(type(error).__name__) from error


class _Empty(bytes):
    """No bytes: the library takes the address of the first one even so, and must find one."""

    __slots__ = ()

    def __len__(self) -> int:
        return 0
