"""The files in a LittleFS, read by littlefs-python; littlefs_make.py has it write.

Where one begins, its block size and its length come from littlefs.py.  Never raises: what cannot be read is a
finding.  No check covers the contents of files that have blocks of their own: a changed byte in them cannot
be seen.

The library is C code, and not everywhere: without it a finding says that the files are not listed.  It trusts
what it reads: folders that go in circles would keep it going for ever, and it reads what is behind the end of
what it is given.  So it reads through :class:`_Flash`, which always gives as much as is asked for, and stops
answering after so many questions and bytes.

Source: https://github.com/jrast/littlefs-python; see docs/formats/littlefs.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from imgtool.formats.filesystems.littlefs import superblock_at
from imgtool.formats.filesystems.littlefs_metadata import attribute_numbers
from imgtool.formats.filesystems.stored_files import FileSystem, StoredFile, StoredFolder
from imgtool.formats.reading import Finding, PartKind, Severity
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from littlefs import LittleFS

__all__ = ["DEEPEST", "ENCODING", "has_library", "read_files"]

_FOLDER: Final = 2
DEEPEST: Final = 32
"""How many folders may lie in one another."""
_LEAST_ENTRY: Final = 16  # bytes of metadata that an entry of a folder takes at the least
_SMALLEST_READ: Final = 4
# Reads that a step (mounting, listing a folder, reading a file or an attribute) takes at the most in a sound
# file system, for each block that it has: 7 were seen.
_READS_PER_BLOCK: Final = 32
_LEAST_READS: Final = 200
# Bytes of all steps together, and what a read takes beside them, in bytes: some seconds.  Each file is looked
# for by its name: 1,000 in one folder take 54 MB, and 4,000 take 2.2 GB.
_MOST_BYTES: Final = 3 << 30
_EACH_READ: Final = 256
_NO_SUCH_ATTRIBUTE: Final = "LFS_ERR_NOATTR"
ENCODING: Final = "latin-1"
"""Of names: the library decodes them itself, and this one keeps every byte."""
_NAME_MAX: Final = 255


class _Flash:
    """The block device that the library reads: the bytes that are there, erased flash for what is not."""

    def __init__(self, data: bytes, offset: int, stop: int, blocks: int) -> None:
        self._data, self._offset, self._stop = data, offset, stop
        self._of_step = _LEAST_READS + _READS_PER_BLOCK * blocks
        self._left, self._left_in_step = _MOST_BYTES, self._of_step
        self.beyond = False  # whether bytes were asked for, since the step began, that are not there
        self.exhausted = False  # whether it has stopped answering

    def begin(self) -> None:
        """A step begins."""
        self.beyond = False
        self._left_in_step = self._of_step

    # An exception in here would be printed by the library and ignored.

    def read(self, cfg: Any, block: int, off: int, size: int) -> bytes:  # noqa: ANN401 - the library's
        """Bytes of a block; as many as are asked for, whatever happens."""
        self._left -= size + _EACH_READ
        self._left_in_step -= 1
        self.exhausted = self.exhausted or self._left < 0 or self._left_in_step < 0
        start = self._offset + block * cfg.block_size + off
        found = b"" if self.exhausted else self._data[start : min(start + size, self._stop)]
        if len(found) < size:
            self.beyond = True
            return found + b"\xff" * (size - len(found))
        return found

    def prog(self, *_: object) -> int:
        """Refuse: nothing is written."""
        return -5

    def erase(self, *_: object) -> int:
        """Refuse: nothing is written."""
        return -5

    def sync(self, *_: object) -> int:
        """Nothing waits to be written."""
        return 0


def read_files(data: bytes, offset: int, stop: int, *, block_size: int, blocks: int) -> FileSystem:
    """The files of the LittleFS at ``offset``.

    Args:
        data: What it lies in.
        offset: Its first byte.
        stop: Where it ends in ``data``: of a cut one, before its own end.
        block_size: Bytes of a block.
        blocks: How many blocks it has by its superblock.
    """
    superblock = superblock_at(data, offset)
    version = "" if superblock is None else superblock.version
    size = block_size * blocks
    unread = FileSystem(
        kind=PartKind.LITTLEFS,
        offset=offset,
        size=size,
        block_size=block_size,
        blocks=blocks,
        layout=version,
        files=(),
        used=None,
        free=None,
    )
    if not has_library():
        message = "the files in the LittleFS are not listed: that needs the package littlefs-python"
        finding = Finding(Severity.WARNING, "littlefs-unread", message, offset)
        return replace(unread, listed=False, findings=(finding,))
    stop = min(stop, len(data))
    numbers = attribute_numbers(data, offset, min(offset + size, stop), block_size)
    flash = _Flash(data, offset, stop, blocks)
    walk = _FolderWalk(flash, offset, size, numbers)
    mounted = _mounted(flash, block_size, blocks)
    used = None
    if isinstance(mounted, str):
        walk.say("not-mounted", f"the file system cannot be read: {mounted}")
    else:
        walk.through(mounted)
        used = _used(mounted, flash, blocks)
        mounted.unmount()
    return replace(
        unread,
        files=tuple(sorted(walk.files, key=lambda file: file.path)),
        used=None if used is None else used * block_size,
        free=None if used is None else size - used * block_size,
        findings=tuple(walk.findings),
        folders=tuple(sorted(walk.folders)),
    )


def has_library() -> bool:
    """Whether littlefs-python is there, with its C code."""
    try:
        import littlefs  # noqa: F401, PLC0415 - takes longer than all the rest of a run
    except ImportError:
        return False
    return True


def _mounted(flash: _Flash, block_size: int, blocks: int) -> LittleFS | str:
    """The file system as the library has it, or why there is none."""
    from littlefs import LittleFS, LittleFSError  # noqa: PLC0415 - see above

    if block_size % 8:  # its C code asserts that
        return f"no LittleFS has blocks of {block_size} bytes"
    # Reads of 4 bytes at the start of a block and of the rest behind them: so no question is answered out of
    # the library's cache each time, and circles come to an end.
    mounted = LittleFS(
        cast("Any", flash),  # it has what the library asks of its own class
        mount=False,  # else one that cannot be mounted is formatted
        filename_encoding=ENCODING,
        block_size=block_size,
        block_count=blocks,
        read_size=_SMALLEST_READ,
        prog_size=_SMALLEST_READ,
        cache_size=block_size,
        name_max=_NAME_MAX,
    )
    try:
        mounted.mount()
    except LittleFSError as error:
        return _reason(error)
    return mounted


def _used(mounted: LittleFS, flash: _Flash, blocks: int) -> int | None:
    from littlefs import LittleFSError  # noqa: PLC0415 - see above

    flash.begin()
    try:
        count = mounted.used_block_count
    except LittleFSError:
        return None
    return count if 0 <= count <= blocks and not flash.beyond else None


_REASONS: Final = {
    "LFS_ERR_CORRUPT": "its metadata is damaged",
    "LFS_ERR_INVAL": "its superblock does not fit it, or is of a newer version",
    "LFS_ERR_NOENT": "no entry leads to it",
}


def _reason(error: Exception) -> str:
    cause = error if hasattr(error, "name") else error.__cause__
    name = getattr(cause, "name", "") or type(error).__name__
    return _REASONS.get(name, f"the library says {name}")


class _FolderWalk:
    """The folders of a file system from its root on, and what is found."""

    def __init__(self, flash: _Flash, offset: int, size: int, numbers: tuple[int, ...]) -> None:
        self.files: list[StoredFile] = []
        self.folders: list[StoredFolder] = []
        self.findings: list[Finding] = []
        self._flash, self._offset = flash, offset
        self._numbers = numbers  # of attributes that anything may have
        self._entries = size // _LEAST_ENTRY
        self._endless = False  # whether a folder has an entry twice
        self._bytes = size  # no two files share a block, so all of them together are smaller

    def say(self, code: str, message: str) -> None:
        """Note what is wrong."""
        self.findings.append(Finding(Severity.ERROR, code, message, self._offset))

    def through(self, mounted: LittleFS) -> None:
        """All files."""
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            attributes, wrong = self._attributes(mounted, folder or "/")
            self.folders.append(StoredFolder(folder.encode(ENCODING), attributes))
            if wrong:
                self.say("folder-damaged", Phrase(_place(folder), f" is damaged: {wrong}"))
            inner = self._folder(mounted, folder)
            if self._flash.exhausted or self._entries <= 0 or self._endless:
                return self.say("folder-damaged", "the folders do not come to an end: not all files are read")
            if folder.count("/") >= DEEPEST and inner:
                message = Phrase(f"folders lie deeper than {DEEPEST}: ", Name(_shown(folder)))
                self.say("folder-damaged", message)
            else:
                waiting += inner
        return None

    def _folder(self, mounted: LittleFS, folder: str) -> list[str]:
        from littlefs import LittleFSError  # noqa: PLC0415 - see above

        inner: list[str] = []
        self._flash.begin()
        found: dict[str, tuple[int, int]] = {}
        try:
            for entry in mounted.scandir(folder or "/"):
                self._entries -= 1
                if entry.name in found:
                    self._endless = True
                if self._endless or self._entries <= 0:
                    break
                found[entry.name] = entry.type, entry.size
        except (LittleFSError, OSError) as error:
            self.say("folder-damaged", Phrase(_place(folder), f" is damaged: {_reason(error)}"))
        if self._flash.beyond and not self._flash.exhausted:
            self.say("folder-damaged", Phrase(_place(folder), " is damaged: blocks of it are not there"))
        for name, (kind, size) in found.items():
            path = f"{folder}/{name}" if folder else name
            if not name or "/" in name or len(name) > _NAME_MAX:
                message = Phrase(Name(_shown(path)), " is damaged: this is no name of a file")
                self.say("file-damaged", message)
            elif kind == _FOLDER:
                inner.append(path)
            else:
                self._file(mounted, path, size)
        return inner

    def _file(self, mounted: LittleFS, path: str, size: int) -> None:
        from littlefs import LittleFSError  # noqa: PLC0415 - see above

        self._flash.begin()
        chunks: list[bytes] = []
        read, wrong = 0, ""
        if size > self._bytes:
            wrong = f"its size is {size:,} bytes, more than the file system has left"
        else:
            try:
                with mounted.open(path, "rb") as file:
                    while read < size:
                        chunk = file.read(min(mounted.cfg.block_size, size - read))
                        if not chunk or self._flash.beyond:
                            break
                        chunks.append(chunk)
                        read += len(chunk)
            except (LittleFSError, OSError) as error:
                wrong = _reason(error)
            if self._flash.beyond:
                wrong = "blocks of it are not there"
            elif read < size and not wrong:
                wrong = f"only {read:,} of its {size:,} bytes are there"
        self._bytes -= read
        attributes, wrong_there = self._attributes(mounted, path)
        wrong = wrong or wrong_there
        shown = _shown(path)
        if wrong:
            self.say("file-damaged", Phrase(Name(shown), f" is damaged: {wrong}"))
        name = path.encode(ENCODING)
        self.files.append(
            StoredFile(shown, size, b"".join(chunks), not wrong, name=name, attributes=attributes)
        )

    def _attributes(self, mounted: LittleFS, path: str) -> tuple[tuple[tuple[int, bytes], ...], str]:
        """Number and bytes of each, and what is wrong with one."""
        from littlefs import LittleFSError  # noqa: PLC0415 - see above

        found: list[tuple[int, bytes]] = []
        for number in self._numbers:
            self._flash.begin()
            try:
                found.append((number, mounted.getattr(path, number)))
            except LittleFSError as error:
                if error.name != _NO_SUCH_ATTRIBUTE:
                    return tuple(found), f"attribute {number} of it cannot be read: {_reason(error)}"
            if self._flash.beyond:
                return tuple(found), f"attribute {number} of it is not there"
        return tuple(found), ""


def _place(folder: str) -> Phrase:
    return Phrase("the folder ", Name(_shown(folder))) if folder else Phrase("the root folder")


def _shown(path: str) -> str:
    return path.encode(ENCODING).decode("utf-8", "backslashreplace")
