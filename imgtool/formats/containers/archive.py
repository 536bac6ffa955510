"""Archives, such as ZIP and tar: what firmware is handed out in, and no firmware themselves.

ZIP and tar files are opened, also tar in xz or bzip2; of others, such as 7z and RAR, only the name is told.
Members are read into memory, within limits, and never written to a disk.  gzip is a format of its own
(gzip_file.py); a tar in it is its content.

Sources: APPNOTE of https://support.pkware.com/pkzip/appnote for ZIP, POSIX.1-2017 pax for tar; see
docs/formats/archive.md.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.errors import FormatError
from imgtool.formats.reading import FileKind, Finding, Part, PartKind, Reading, Severity

if TYPE_CHECKING:
    import tarfile
    import zipfile
    from collections.abc import Iterator

__all__ = ["MOST_BYTES", "Archive", "Member", "archive_of", "members", "read"]

MOST_BYTES: Final = 0x101_0000
"""Bytes of a member that are read at most: the largest flash, and a little more."""

_MOST_IN_ALL: Final = 4 * MOST_BYTES
_MOST_MEMBERS: Final = 4096
_BLOCK: Final = 512  # of tar
_USTAR: Final = slice(257, 262)
_OCTAL: Final = tuple(
    slice(*each) for each in ((100, 108), (108, 116), (116, 124), (124, 136), (136, 148), (148, 156))
)
_ZIP: Final = "ZIP archive"
_TAR: Final = "tar archive"
_ZIP_STARTS: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_ZIP_END: Final = b"PK\x05\x06"
_ZIP_DIRECTORY: Final = b"PK\x01\x02"
_ZIP_TAIL: Final = 22  # bytes of the record that ends a ZIP file; a comment of up to 64 KiB may follow it
_ENOUGH_RIGHT: Final = 2  # bytes of four
_ENCRYPTED: Final = 0x01
_PACKED: Final = {b"\xfd7zXZ\x00": ("xz file", "lzma"), b"BZh": ("bzip2 file", "bz2")}
_CLOSED: Final = {
    b"7z\xbc\xaf\x27\x1c": "7z archive",
    b"Rar!\x1a\x07": "RAR archive",
    b"\x28\xb5\x2f\xfd": "zstd file",
    b"\x04\x22\x4d\x18": "LZ4 file",
    b"MSCF\0\0\0\0": "Cabinet file",
    b"!<arch>\n": "ar archive, as libraries are",
}
_VOWELS: Final = ("xz", "LZ4", "ar ")  # as they are spoken
_JUNK: Final = ("__MACOSX/", ".DS_Store", "Thumbs.db")


class Member(NamedTuple):
    """A file in an archive.

    Attributes:
        name: Its path in the archive; a label, by which nothing is opened.
        size: Bytes that it has unpacked.
        data: The bytes; None where they were not read.
        problem: Why they were not; empty where they were.
    """

    name: str
    size: int
    data: bytes | None = None
    problem: str = ""

    def __repr__(self) -> str:
        """Without the bytes."""
        return f"Member(name={self.name!r}, size={self.size})"


class Archive(NamedTuple):
    """What an archive is.

    Attributes:
        form: Which sort, in words, such as ``ZIP archive``.
        opens: Whether it can be looked into.
        files: Names and sizes of the files in it; none where it cannot be looked into, or nobody did.
    """

    form: str
    opens: bool = False
    files: tuple[tuple[str, int], ...] = ()

    @property
    def sentence(self) -> str:
        """What it is, for people."""
        article = "an" if self.form.startswith(_VOWELS) else "a"
        return f"this is {article} {self.form}, not firmware: unpack it first"


def archive_of(data: bytes) -> Archive | None:
    """Which sort of archive a file is, by its first and last bytes; None for none."""
    if data.startswith(_ZIP_STARTS) or _ends_as_zip(data):
        return Archive(_ZIP, opens=True)
    if _is_tar(data):
        return Archive(_TAR, opens=True)
    packed = next((words for magic, (words, _) in _PACKED.items() if data.startswith(magic)), None)
    if packed is not None and (not data.startswith(b"BZh") or data[4:10] == b"1AY&SY"):
        return Archive(packed, opens=True)
    closed = next((words for magic, words in _CLOSED.items() if data.startswith(magic)), None)
    return None if closed is None else Archive(closed)


def _ends_as_zip(data: bytes) -> bool:
    """Whether a file of which the start is damaged ends as a ZIP file: its directory is where it says."""
    right = sum(a == b for a, b in zip(data, _ZIP_STARTS[0], strict=False))
    if right < _ENOUGH_RIGHT:
        return False
    place = data.rfind(_ZIP_END, max(0, len(data) - _ZIP_TAIL - 0xFFFF))
    if place < 0 or place + _ZIP_TAIL > len(data):
        return False
    directory = int.from_bytes(data[place + 16 : place + 20], "little")
    return directory < place and data.startswith(_ZIP_DIRECTORY, directory)


def _is_tar(data: bytes) -> bool:
    """Whether a tar header begins a file: by its magic, or by its octal numbers.

    Old ones have no magic, and in a damaged one a single field is wrong.
    """
    if len(data) < _BLOCK or not data[0]:
        return False
    numbers = sum(_is_octal(data[field]) for field in _OCTAL)
    return data[_USTAR] == b"ustar" or numbers >= len(_OCTAL) - 1


def _is_octal(field: bytes) -> bool:
    """Whether a field has octal digits, and a NUL at the end of them, or a NUL and a blank."""
    digits = field.rstrip(b" \0").lstrip(b" ")
    return b"\0" in field and digits.isdigit() and not set(digits) & set(b"89")


def read(data: bytes) -> Reading | None:
    """Read a file as an archive, of which only the sort is told; :func:`members` looks into it."""
    archive = archive_of(data)
    if archive is None:
        return None
    message = archive.sentence
    part = Part(PartKind.UNKNOWN, 0, len(data), note=archive.form, value=archive)
    return Reading(FileKind.ARCHIVE, (part,), findings=(Finding(Severity.ERROR, "archive", message),))


def members(data: bytes) -> Iterator[Member]:
    """The files in an archive, with their bytes as far as the limits allow; folders and links are left out.

    Raises:
        FormatError: It is no archive that can be opened, or is damaged.
    """
    archive = archive_of(data)
    if archive is None or not archive.opens:
        words, what = ("this is no archive", "none") if archive is None else (archive.sentence, archive.form)
        raise FormatError(words, expected="a ZIP or tar archive", found=what)
    if archive.form == _ZIP:
        yield from _zip_members(data)
    elif archive.form == _TAR:
        yield from _tar_members(data)
    else:
        inner = _unpacked(data)
        yield from _tar_members(inner) if _is_tar(inner) else (_only_member(inner),)


def _only_member(data: bytes) -> Member:
    """What a file holds that packs one alone."""
    problem = _Budget().problem(len(data))
    return Member("", len(data), None if problem else data, problem)


def _damaged(form: str, error: Exception | None = None) -> FormatError:
    reason = "" if error is None or not str(error) else f" ({str(error).strip()})"
    return FormatError(f"the {form} is damaged or cut{reason}: download it again")


def _shown(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name)


def _is_junk(name: str) -> bool:
    return any(junk in name for junk in _JUNK)


class _Budget:
    """How many bytes may still be unpacked: an archive of a few bytes can hold any number."""

    def __init__(self) -> None:
        self.left = _MOST_IN_ALL

    def problem(self, size: int) -> str:
        """Why a file of that size is not read; empty where it is."""
        if size > MOST_BYTES:
            return "larger than any flash"
        return "not looked into, as there is too much in the archive" if size > self.left else ""


def _zip_members(data: bytes) -> Iterator[Member]:
    import zipfile  # noqa: PLC0415 - few files are archives

    budget = _Budget()
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, OverflowError) as error:
        raise _damaged(_ZIP, error) from None
    with archive:
        for info in archive.infolist()[:_MOST_MEMBERS]:
            if not info.is_dir() and not _is_junk(info.filename):
                yield _zip_member(archive, info, budget)


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: _Budget) -> Member:
    import zipfile  # noqa: PLC0415 - as above
    import zlib  # noqa: PLC0415 - as above

    name, size = _shown(info.filename), info.file_size
    encrypted = "encrypted: unpack it with its password" if info.flag_bits & _ENCRYPTED else ""
    problem = encrypted or budget.problem(size)
    if problem:
        return Member(name, size, problem=problem)
    try:
        with archive.open(info) as file:
            data = file.read(size + 1)
    except (
        zipfile.BadZipFile,
        zlib.error,
        OSError,
        EOFError,
        ValueError,
        NotImplementedError,
        RuntimeError,
        OverflowError,
    ):
        return Member(name, size, problem="damaged")
    budget.left -= len(data)
    if len(data) != size:
        return Member(name, size, problem="damaged")
    return Member(name, size, data)


def _tar_members(data: bytes) -> Iterator[Member]:
    import tarfile  # noqa: PLC0415 - few files are archives

    budget = _Budget()
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for _ in range(_MOST_MEMBERS):
                info = archive.next()
                if info is None:
                    return
                if info.isreg() and not _is_junk(info.name):
                    yield _tar_member(archive, info, budget)
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError) as error:
        raise _damaged(_TAR, error) from None


def _tar_member(archive: tarfile.TarFile, info: tarfile.TarInfo, budget: _Budget) -> Member:
    name, size = _shown(info.name), info.size
    problem = budget.problem(size)
    file = None if problem else archive.extractfile(info)
    if file is None:
        return Member(name, size, problem=problem or "damaged")
    with file:
        data = file.read(size)
    budget.left -= len(data)
    return Member(name, size, data) if len(data) == size else Member(name, size, problem="damaged")


def _unpacked(data: bytes) -> bytes:
    """What is in an xz or bzip2 file."""
    from importlib import import_module  # noqa: PLC0415 - few files are

    words, module = next(each for magic, each in _PACKED.items() if data.startswith(magic))
    try:
        packer = import_module(module)
    except ImportError:  # Python can be built without
        raise FormatError(f"this Python cannot unpack a {words}: unpack it first") from None
    unpacker = packer.LZMADecompressor() if module == "lzma" else packer.BZ2Decompressor()
    try:
        content: bytes = unpacker.decompress(data, _MOST_IN_ALL)
    except (OSError, EOFError, ValueError, getattr(packer, "LZMAError", OSError)) as error:
        raise _damaged(words, error) from None
    if not unpacker.eof and not unpacker.needs_input:
        raise FormatError(
            f"the {words} is too large: no flash holds what is in it",
            expected=f"at most {_MOST_IN_ALL:,} bytes in it",
            found="more",
        )
    if not unpacker.eof:
        raise _damaged(words)
    return content
