"""What keeps the bytes of a virtual flash: memory, or a file on the host.

Not the flash: a store knows nothing of erasing, busy times or protection (:mod:`imgtool.virtual.chip.nor`).

Opening the files that a user names is else the CLI's business.  Here the path is part of the port's name
(``sim:4MB,flash=FILE``), and the file has to stay open as long as the port.
"""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

from imgtool.errors import ImgtoolError, LayoutError, PortError, UsageError
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from types import ModuleType

_fcntl: ModuleType | None
_mmap: ModuleType | None
try:
    import fcntl as _fcntl
except ImportError:  # Windows
    _fcntl = None
try:
    import mmap as _mmap
except ImportError:  # hosts that cannot map files
    _mmap = None

__all__ = ["FileStore", "MemoryStore", "Store", "unusable"]

_CHUNK: Final = 0x10_0000


def unusable(problem: str, path: str | os.PathLike[str], error: OSError) -> ImgtoolError:
    """The error for a file of a virtual chip: of its port, or of the words if no file can have that name."""
    kind = UsageError if error.errno == errno.ENAMETOOLONG else PortError
    return kind(f"{problem}: {error.strerror or 'unknown error'}", source=str(path))


class Store(Protocol):
    """Bytes that can be read and replaced, but not resized."""

    @property
    def size(self) -> int:
        """Its capacity in bytes."""
        ...

    def read(self, address: int, length: int) -> bytes:
        """The ``length`` bytes from ``address`` on; both lie within the store."""
        ...

    def at_hand(self, address: int, length: int, /) -> bool:
        """Whether these bytes cost nothing to read; else they come over a line."""
        ...

    def write(self, address: int, data: bytes) -> None:
        """Replace the bytes from ``address`` on; all lie within the store."""
        ...

    def flush(self) -> None:
        """Have what was written survive a loss of power on the host."""
        ...

    def close(self) -> None:
        """Give the store back; a second time does nothing."""
        ...


class MemoryStore:
    """A store that is gone with the process.

    Args:
        size: Bytes; all are 0xFF at first.
    """

    def __init__(self, size: int) -> None:
        self._data = bytearray(b"\xff" * size)

    @property
    def size(self) -> int:
        """Its capacity in bytes."""
        return len(self._data)

    def read(self, address: int, length: int) -> bytes:
        """The ``length`` bytes from ``address`` on."""
        return bytes(self._data[address : address + length])

    def at_hand(self, _address: int, _length: int, /) -> bool:
        """Always."""
        return True

    def write(self, address: int, data: bytes) -> None:
        """Replace the bytes from ``address`` on."""
        self._data[address : address + len(data)] = data

    def flush(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


class _Content(Protocol):
    """The bytes of a file that is open, as a mapping has them."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes: ...

    def __setitem__(self, part: slice, data: bytes, /) -> None: ...

    def flush(self) -> object: ...

    def close(self) -> None: ...


class _Unmapped:
    """The bytes of a file, by reads and writes, on hosts that cannot map it."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self._size)
        self._file.seek(start)
        return self._file.read(max(0, stop - start))

    def __setitem__(self, part: slice, data: bytes) -> None:
        self._file.seek(part.start)
        self._file.write(data)
        self._file.flush()

    def flush(self) -> None:
        with suppress(OSError):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """The file is its owner's."""


class FileStore:
    """A store in a file of the host, mapped into memory where the host can.

    Every write is in the file at once, as other processes see it, and survives the end of this process
    however it ends.  What has to survive a loss of power on the host needs :meth:`flush`.

    Args:
        path: The file, as the port's name gives it.  Where there is none, it is made, erased.
        size: Bytes that it has to have.

    Raises:
        LayoutError: The file has another length.
        PortError: It is in use by another virtual device, or cannot be opened.
        UsageError: No file can have so long a name.
    """

    def __init__(self, path: str | os.PathLike[str], size: int) -> None:
        self.path = Path(path)
        self._map: _Content | None = None
        try:
            if not self.path.exists():
                _create(self.path, size)
            self._file = self.path.open("r+b")
        except OSError as error:
            raise unusable("the flash file cannot be opened", path, error) from error
        try:
            self._claim()
            self._check_length(size)
            self._map = (
                _Unmapped(self._file, size) if _mmap is None else _mmap.mmap(self._file.fileno(), size)
            )
        except BaseException:
            self._file.close()
            raise

    def _claim(self) -> None:
        """Two devices on one file would each undo what the other has erased."""
        if _fcntl is None:
            return
        try:
            _fcntl.flock(self._file.fileno(), _fcntl.LOCK_EX | _fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PortError(
                "the flash file is in use by another virtual device", source=str(self.path)
            ) from error
        except OSError:  # a file system without locks: as on hosts without them
            return

    def _check_length(self, size: int) -> None:
        found = os.fstat(self._file.fileno()).st_size
        if found != size:
            raise LayoutError(
                "the flash file has the wrong length",
                source=str(self.path),
                expected=in_bytes(size),
                found=in_bytes(found),
            )

    @property
    def _bytes(self) -> _Content:
        if self._map is None:
            raise PortError("the flash file is closed", source=str(self.path))
        return self._map

    @property
    def size(self) -> int:
        """Its capacity in bytes."""
        return len(self._bytes)

    def read(self, address: int, length: int) -> bytes:
        """The ``length`` bytes from ``address`` on."""
        return self._bytes[address : address + length]

    def at_hand(self, _address: int, _length: int, /) -> bool:
        """Always."""
        return True

    def write(self, address: int, data: bytes) -> None:
        """Replace the bytes from ``address`` on; they are in the file when this returns."""
        self._bytes[address : address + len(data)] = data

    def flush(self) -> None:
        """Have the host write the file to its disk."""
        self._bytes.flush()

    def close(self) -> None:
        """Flush and close the file, and let others have it; a second time does nothing."""
        if self._map is not None:
            self._map.flush()
            self._map.close()
            self._map = None
            self._file.close()


def _create(path: Path, size: int) -> None:
    """Make an erased file whole or not at all: it is written beside, then renamed."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("xb") as file:
            for start in range(0, size, _CHUNK):
                file.write(b"\xff" * min(_CHUNK, size - start))
        # A link, unlike a rename, does not replace a file that another device has made in the meantime.
        try:
            os.link(beside, path)
        except FileExistsError:
            return
        except OSError:  # no hard links on this file system
            beside.replace(path)
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()
