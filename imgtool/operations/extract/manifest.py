"""The manifest of an extraction: which files and which fill make up the bytes that were taken apart.

A JSON document of imgtool's own, ``imgtool-manifest.json``; docs/how-to/extract.md has its fields.  Values
only: the files that it names are opened by others, and a name that could lead out of their folder is no valid
one.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from imgtool.errors import FormatError
from imgtool.formats.reading import Finding, Severity
from imgtool.operations.assemble.merge import LARGEST_FLASH, Piece
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "SCHEMA",
    "Assembled",
    "FileStretch",
    "FillStretch",
    "Manifest",
    "Source",
    "Wrapper",
    "wrong_file",
]

SCHEMA: Final = 1

_SHA256: Final = re.compile(r"[0-9a-f]{64}\Z")
# Separators and drives of every system: a folder that is made on one may be read on another.
_NOT_IN_NAMES: Final = re.compile(r"[/\\:\x00-\x1f]")
_BYTE: Final = 0xFF


@dataclass(frozen=True, slots=True)
class Wrapper:
    """The file around the bytes that were taken apart, such as a gzip file.

    Attributes:
        kind: What it is.
        size: Its bytes.
        sha256: Their digest, lower-case hex.
    """

    kind: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Source:
    """What was taken apart.

    Attributes:
        name: The file's name, without its folder.
        size: Bytes that the parts make up.
        sha256: Their digest, lower-case hex.
        kind: What they are, see :class:`imgtool.FileKind`.
        flash_size: The flash size that the image header states; None where it states none.
        wrapper: The file around them; None where they are the file itself.
    """

    name: str
    size: int
    sha256: str
    kind: str
    flash_size: str | None = None
    wrapper: Wrapper | None = None


@dataclass(frozen=True, slots=True)
class FileStretch:
    """A stretch that is kept in a file.

    Attributes:
        file: The file's name in the folder.
        address: Where the stretch begins.
        size: Its bytes.
        sha256: Their digest when they were taken out, lower-case hex.
        kind: What they are, see :class:`imgtool.PartKind`.
    """

    file: str
    address: int
    size: int
    sha256: str
    kind: str


@dataclass(frozen=True, slots=True)
class FillStretch:
    """A stretch of one byte value.

    Attributes:
        byte: The value.
        address: Where the stretch begins.
        size: Its bytes.
        kind: What it is, see :class:`imgtool.PartKind`.
    """

    byte: int
    address: int
    size: int
    kind: str


@dataclass(frozen=True, slots=True)
class Assembled(Piece):
    """The bytes that a manifest and its files make, from address 0 on.

    Attributes:
        files: The names of the files, in the order of their addresses.
        changed: Those that are not as they were taken out.
        same: Whether the bytes are those of the source.
    """

    files: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    same: bool = False

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is to be said of the files."""
        if self.changed or self.same:
            return tuple(
                Finding(
                    Severity.NOTE, "part-changed", Phrase(Name(name), " was changed since it was extracted")
                )
                for name in self.changed
            )
        message = "the bytes are not those of the source, though no file was changed: the manifest was"
        return (Finding(Severity.NOTE, "manifest-changed", message),)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The stretches of some bytes, in order and without holes.

    Attributes:
        source: What was taken apart.
        stretches: Files and fill; together they are ``source.size`` bytes.
    """

    source: Source
    stretches: tuple[FileStretch | FillStretch, ...]

    @property
    def files(self) -> tuple[FileStretch, ...]:
        """The stretches that are kept in files."""
        return tuple(stretch for stretch in self.stretches if isinstance(stretch, FileStretch))

    @classmethod
    def parse(cls, data: bytes) -> Manifest:
        """Read a manifest.

        Raises:
            FormatError: It is no JSON, has another schema, a field is missing or is not what it should be, a
                file name may lead out of the folder, or the stretches overlap or leave a hole; names the
                entry.
        """
        document = _document(data)
        source = _source(_Fields(document, "the manifest").fields("source"))
        entries = document.get("stretches")
        if not isinstance(entries, list):
            raise FormatError("stretches of the manifest", expected="a list", found=_shown(entries))
        stretches: list[FileStretch | FillStretch] = []
        end = 0
        for number, entry in enumerate(entries):
            stretch = _stretch(_Fields(entry, f"entry {number}"))
            if stretch.address != end:
                wrong = "overlaps the one before it" if stretch.address < end else "leaves a hole before it"
                raise FormatError(
                    Phrase(_named(number, stretch), f" {wrong}"),
                    expected=f"address 0x{end:05x}",
                    found=f"0x{stretch.address:05x}",
                )
            end = stretch.address + stretch.size
            if end > source.size:
                break
            stretches.append(stretch)
        if end != source.size:
            raise FormatError(
                "the stretches of the manifest are not as long as its source",
                expected=f"{source.size:,} bytes",
                found=f"{end:,}",
            )
        return cls(source, tuple(stretches))

    def build(self) -> bytes:
        """The manifest as a JSON document, each stretch on a line of its own."""
        source = _source_fields(self.source)
        head = json.dumps({"schema": SCHEMA, "source": source}, indent=2).removesuffix("\n}")
        lines = ",\n".join(f"    {json.dumps(_stretch_fields(stretch))}" for stretch in self.stretches)
        body = f"[\n{lines}\n  ]" if lines else "[]"
        return f'{head},\n  "stretches": {body}\n}}\n'.encode("ascii")

    def assemble(self, files: Mapping[str, bytes], name: str) -> Assembled:
        """The bytes that the stretches make.

        Args:
            files: The contents of the files by name.
            name: What to call the bytes in messages.

        Raises:
            FormatError: A file is missing, or has not its size; names the entry.
        """
        blocks: list[bytes] = []
        changed: list[str] = []
        for number, stretch in enumerate(self.stretches):
            if isinstance(stretch, FillStretch):
                blocks.append(bytes([stretch.byte]) * stretch.size)
                continue
            block = files.get(stretch.file)
            if block is None or len(block) != stretch.size:
                raise wrong_file(number, stretch, "no file" if block is None else f"{len(block):,} bytes")
            if hashlib.sha256(block).hexdigest() != stretch.sha256:
                changed.append(stretch.file)
            blocks.append(block)
        data = b"".join(blocks)
        same = hashlib.sha256(data).hexdigest() == self.source.sha256
        names = tuple(stretch.file for stretch in self.files)
        return Assembled(0, data, name, names, tuple(changed), same)


def wrong_file(number: int, stretch: FileStretch, found: str) -> FormatError:
    """The error for a file that is not what its entry says."""
    return FormatError(
        Phrase(_named(number, stretch), " is not what the manifest says"),
        expected=f"{stretch.size:,} bytes",
        found=found,
    )


def _named(number: int, stretch: FileStretch | FillStretch) -> Phrase:
    name = Name(stretch.file) if isinstance(stretch, FileStretch) else "fill"
    return Phrase(f"entry {number} (", name, ")")


def _document(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "something else"
        offset = error.pos if isinstance(error, json.JSONDecodeError) else None
        raise FormatError(
            "the manifest is no JSON", offset=offset, expected="JSON", found=reason.lower()
        ) from None
    if not isinstance(document, dict) or type(document.get("schema")) is not int:
        raise FormatError(
            "this is no manifest of an extraction",
            expected=f"an object with schema {SCHEMA}",
            found=_shown(document.get("schema")) if isinstance(document, dict) else _shown(document),
        )
    if document["schema"] != SCHEMA:
        raise FormatError(
            "the manifest has another schema", expected=f"schema {SCHEMA}", found=_shown(document["schema"])
        )
    return document


class _Fields:
    """The fields of one object, each asked for by name and type."""

    def __init__(self, value: Any, where: str) -> None:  # noqa: ANN401 - whatever the JSON holds
        if not isinstance(value, dict):
            raise FormatError(f"{where} of the manifest", expected="an object", found=_shown(value))
        self._value: dict[str, Any] = value
        self._where = where

    def __contains__(self, name: str) -> bool:
        return self._value.get(name) is not None

    def fields(self, name: str) -> _Fields:
        return _Fields(self._value.get(name), name)

    def text(self, name: str) -> str:
        value = self._value.get(name)
        if not isinstance(value, str):
            raise self._refusal(name, "a text")
        return value

    def digest(self, name: str) -> str:
        value = self.text(name)
        if not _SHA256.match(value):
            raise self._refusal(name, "64 hex digits")
        return value

    def number(self, name: str, most: int, least: int = 0) -> int:
        value = self._value.get(name)
        if type(value) is not int or not least <= value <= most:
            raise self._refusal(name, f"a number from {least} to {most}")
        return value

    def file_name(self, name: str) -> str:
        value = self.text(name)
        if not value.strip(". ") or _NOT_IN_NAMES.search(value):
            raise self._refusal(name, "the name of a file in the folder")
        return value

    def _refusal(self, name: str, expected: str) -> FormatError:
        found = _shown(self._value.get(name))
        return FormatError(f"{name} in {self._where} of the manifest", expected=expected, found=found)


_LONGEST_SHOWN: Final = 60


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    text = json.dumps(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."


def _source(fields: _Fields) -> Source:
    wrapper = None
    if "wrapper" in fields:
        around = fields.fields("wrapper")
        wrapper = Wrapper(around.text("kind"), around.number("size", 1 << 40), around.digest("sha256"))
    return Source(
        fields.text("name"),
        fields.number("size", LARGEST_FLASH),
        fields.digest("sha256"),
        fields.text("kind"),
        fields.text("flash_size") if "flash_size" in fields else None,
        wrapper,
    )


def _stretch(fields: _Fields) -> FileStretch | FillStretch:
    address, size = fields.number("address", LARGEST_FLASH), fields.number("size", LARGEST_FLASH, 1)
    kind = fields.text("kind")
    if "file" in fields:
        return FileStretch(fields.file_name("file"), address, size, fields.digest("sha256"), kind)
    return FillStretch(fields.number("fill", _BYTE), address, size, kind)


def _source_fields(source: Source) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": source.name,
        "size": source.size,
        "sha256": source.sha256,
        "kind": source.kind,
        "flash_size": source.flash_size,
    }
    if source.wrapper is not None:
        around = source.wrapper
        fields["wrapper"] = {"kind": around.kind, "size": around.size, "sha256": around.sha256}
    return fields


def _stretch_fields(stretch: FileStretch | FillStretch) -> dict[str, Any]:
    place = {"address": stretch.address, "size": stretch.size}
    if isinstance(stretch, FillStretch):
        return {"fill": stretch.byte, **place, "kind": stretch.kind}
    return {"file": stretch.file, **place, "sha256": stretch.sha256, "kind": stretch.kind}
