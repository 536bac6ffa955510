"""A file system made of files, as a firmware takes it; and the firmwares that are known by name.

Which one a firmware takes is imgtool.layout.file_targets, and the making imgtool.operations.assemble's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from imgtool.chip import flash_size
from imgtool.device.events import Event, ignore
from imgtool.engine.documents import document
from imgtool.engine.inputs import new_files
from imgtool.engine.jobs.files.words import count_words, not_taken, shown
from imgtool.engine.placing import placed, size_name
from imgtool.engine.results import Output, Row, Table, Words
from imgtool.engine.stopping import stoppable
from imgtool.engine.verdicts import DONE
from imgtool.errors import UsageError
from imgtool.formats.filesystems.spiffs_make import SpiffsShape
from imgtool.layout.file_targets import TARGETS, named_target
from imgtool.operations.assemble.filesystem import made_for, named_for, space_in
from imgtool.operations.files.target import target_of
from imgtool.phrase import Name, Phrase
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from imgtool.device.events import Listener
    from imgtool.engine.documents import Document
    from imgtool.engine.inputs import FolderFile, InputFile
    from imgtool.formats.filesystems.stored_files import NewFile, Space
    from imgtool.layout.file_targets import FileTarget, NamedTarget

__all__ = [
    "FileTargetsResult",
    "MakeFilesRequest",
    "MakeFilesResult",
    "file_targets",
    "is_target",
    "make_files",
]

_MOST_ROWS: Final = 24
_MAGICS: Final = {
    "none": "no magics",
    "linear": "linear magics",
    "old": "the old magics",
    "constant": "the same magic in each",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeFilesRequest:
    """A file system that is to be made.

    Attributes:
        files: The files by the names that they are to have.
        output: Name of the file that is made.
        firmware: The firmware that it is for: its image, or its halves; none where it is known by name.
        target: The name of that firmware, of :func:`file_targets`; empty where there are images.
        size: Name of the flash size; None for that in the image's header.
        length: Bytes of the file system, where neither image nor name tells.
        left_out: Names of what was not taken along from a folder, to be told.
    """

    files: tuple[FolderFile, ...]
    output: str
    firmware: tuple[InputFile, ...] = ()
    target: str = ""
    size: str | None = None
    length: int | None = None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeFilesResult:
    """A file system that was made.

    Attributes:
        output: Its name.
        data: Its bytes.
        target: The file system that the firmware takes.
        files: The files in it, by the names that they have there.
        space: How much they take, and how much room there is.
        size: Name of the flash size that its place is for; None where it hangs on none.
        left_out: What was not taken along from a folder.
        inputs: Names of files that must not be written over.
    """

    output: str
    data: bytes = field(repr=False)
    target: FileTarget
    files: tuple[NewFile, ...] = field(repr=False)
    space: Space
    size: str | None = None
    left_out: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Always, as what does not fit is an error."""
        return True

    @property
    def code(self) -> int:
        """The exit code."""
        return DONE

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The file system."""
        return (Output(self.output, self.data),)

    @property
    def document(self) -> Document:
        """What ``imgtool files make --json`` prints."""
        shape = self.target.shape
        spiffs = isinstance(shape, SpiffsShape)
        fields: dict[str, Any] = {
            "output": self.output,
            "size": len(self.data),
            "sha256": _digest(self.data),
            "firmware": self.target.title,
            "flash_size": self.size,
            "kind": "spiffs" if spiffs else "littlefs",
            "address": self.target.start,
            "block_size": shape.block_size,
            "blocks": shape.blocks,
            **(
                {"formula": shape.formula, "layout": shape.layout}
                if isinstance(shape, SpiffsShape)
                else {"version": shape.version}
            ),
            "free": self.space.left,
            "files": [{"path": shown(file.name), "size": len(file.data)} for file in self.files],
            "left_out": list(self.left_out),
        }
        warnings = [not_taken(self.left_out)] if self.left_out else []
        return document("files make", ok=True, results=[fields], warnings=warnings)

    @property
    def words(self) -> Words:
        """What a person is told."""
        count = sum(len(file.data) for file in self.files)
        rows = tuple((f"{len(file.data):,}", Name(shown(file.name))) for file in self.files[:_MOST_ROWS])
        more = len(self.files) - len(rows)
        start = self.target.start
        notes = [not_taken(self.left_out)] if self.left_out else []
        if start is not None:
            notes.append(Phrase(f"imgtool flash 0x{start:x} ", Name(self.output), " writes it to its place"))
        return Words(
            verdict=Phrase(
                Name(self.output), f": {self._kind()} for {self.target.title}, {count_words(len(self.files))}"
            ),
            rows=(
                Row("place", self._place()),
                Row("size", f"{in_bytes(len(self.data))}: {self._blocks()}"),
                Row("files", f"{in_bytes(count)}, {in_bytes(self.space.left)} left"),
            ),
            tables=(
                Table(
                    rows=rows,
                    head=("size", "file"),
                    right=(0,),
                    below=f"and {more:,} more" if more else "",
                ),
            )
            if rows
            else (),
            notes=tuple(notes),
        )

    def _kind(self) -> str:
        shape = self.target.shape
        return "SPIFFS" if isinstance(shape, SpiffsShape) else f"LittleFS {shape.version}"

    def _place(self) -> str:
        start = self.target.start
        if start is None:
            return "not told by that name: it hangs on the build"
        flash = "" if self.size is None else f" of a flash of {self.size}"
        return f"0x{start:06x} to 0x{start + len(self.data) - 1:06x}{flash}"

    def _blocks(self) -> str:
        shape = self.target.shape
        magics = f", {_MAGICS[shape.formula]}" if isinstance(shape, SpiffsShape) else ""
        return f"{shape.blocks:,} blocks of {in_bytes(shape.block_size)}{magics}"


def _digest(data: bytes) -> str:
    import hashlib  # noqa: PLC0415 - for programs alone

    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTargetsResult:
    """The firmwares whose file systems are known by name.

    Attributes:
        targets: A row each.
    """

    targets: tuple[NamedTarget, ...]

    @property
    def ok(self) -> bool:
        """Yes."""
        return True

    @property
    def code(self) -> int:
        """The exit code."""
        return DONE

    @property
    def document(self) -> Document:
        """What ``imgtool files make --for list --json`` prints."""
        rows = [
            {
                "name": row.name,
                "firmware": row.title,
                "address": row.start,
                "size": row.length,
                "by_flash_size": row.place is not None,
            }
            for row in self.targets
        ]
        return document("files make", ok=True, results=rows)

    @property
    def words(self) -> Words:
        """A table with name, whose, place and length."""
        rows = tuple((row.name, row.title, _place_words(row)) for row in self.targets)
        return Words(
            verdict=f"{len(rows)} firmwares whose file systems are known by name",
            tables=(Table(rows=rows, head=("name", "firmware", "place")),),
        )

    @property
    def outputs(self) -> tuple[Output, ...]:
        """None."""
        return ()


def _place_words(row: NamedTarget) -> str:
    if row.place is not None:
        return "by the flash size"
    if row.length is None:
        return "of any length"
    return f"0x{row.start:06x}, {row.length // 1024:,} KB" if row.start is not None else in_bytes(row.length)


def file_targets() -> FileTargetsResult:
    """The firmwares whose file systems are known by name."""
    return FileTargetsResult(targets=tuple(TARGETS.values()))


def is_target(name: str) -> bool:
    """Whether a firmware is known by a name."""
    return name.lower() in TARGETS


@stoppable()
def make_files(request: MakeFilesRequest, on_event: Listener = ignore) -> MakeFilesResult:
    """Make a file system of files, as a firmware takes it.

    Args:
        request: The files, and the firmware.
        on_event: Told of each step.

    Raises:
        UsageError: Nothing, or too much, says for which firmware, or how large; no firmware has that name.
        FormatError: What is given as firmware is none.
        LayoutError: Nothing tells where the firmware looks for files; they do not fit (a FileRoomError, by
            how many bytes), or have names that it cannot open (a FileNameError).
        InterruptedRunError: It was stopped; nothing was written.
    """
    on_event(Event("files", 0, 1, request.output))
    size = None if request.size is None else size_name(request.size)[0]
    target = _target(request, size)
    files = new_files(request.files)
    data = made_for(target, files)
    on_event(Event("files", 1, 1, request.output))
    return MakeFilesResult(
        output=request.output,
        data=data,
        target=target,
        files=named_for(target.names, files),
        space=space_in(target, files),
        size=size,
        left_out=request.left_out,
        inputs=(*(file.name for file in request.firmware), *(file.path for file in request.files)),
    )


def _target(request: MakeFilesRequest, size: str | None) -> FileTarget:
    if request.firmware:
        if request.target or request.length is not None:
            raise UsageError(
                "an image tells itself where and how large its file system is",
                expected="the image, and a flash size",
                found="a name or a length beside it",
            )
        return target_of(placed(request.firmware).pieces, size)
    if not request.target:
        raise UsageError("nothing says for which firmware", expected="its image, or its name")
    row = TARGETS.get(request.target.lower())
    if row is not None and row.place is None and size is not None:
        raise UsageError(
            f"the file system of {row.title} does not hang on the flash size",
            expected="a length" if row.length is None else "the name alone",
            found=size,
        )
    return named_target(request.target, request.length, None if size is None else flash_size(size))
