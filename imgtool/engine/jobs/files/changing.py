"""Files put into the file system of an image, a dump or a board, or removed from it.

Not the change itself (imgtool.operations.files.change); that of a board is in on_board.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from imgtool.device.events import Event, ignore
from imgtool.engine.documents import document, finding_fields, warnings_of
from imgtool.engine.inputs import new_files
from imgtool.engine.jobs.files.on_board import Keeping, change_board
from imgtool.engine.jobs.files.words import count_words, no_match, not_taken, shown
from imgtool.engine.results import Output, Row, Table, Tone, Toned, Words
from imgtool.engine.stopping import stoppable
from imgtool.engine.verdicts import DONE, NO
from imgtool.errors import FormatError, ImgtoolError, UsageError
from imgtool.formats.kinds import KINDS
from imgtool.operations.assemble.wrong_files import refuse_without_parts
from imgtool.operations.files.change import ChangeWay, changed, check_undamaged
from imgtool.operations.files.find import held_in
from imgtool.operations.files.match import matched
from imgtool.operations.inspect.describe import describe
from imgtool.operations.patch.steps import Changes, Write
from imgtool.operations.patch.steps import patch as make
from imgtool.phrase import Name, Phrase
from imgtool.quantities import duration, in_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgtool.device.events import Listener
    from imgtool.device.session import ConnectOptions
    from imgtool.device.wire import Wire
    from imgtool.engine.documents import Document
    from imgtool.engine.inputs import FolderFile, InputFile
    from imgtool.engine.jobs.files.on_board import BoardChange
    from imgtool.formats.reading import Finding
    from imgtool.operations.files.change import FileChange
    from imgtool.operations.files.reading import ReadFileSystem
    from imgtool.operations.inspect.describe import Description
    from imgtool.operations.patch.steps import Patched

__all__ = ["ChangeFilesResult", "PutFilesRequest", "RemoveFilesRequest", "put_files", "remove_files"]

_PUT: Final = "files put"
_REMOVE: Final = "files remove"
_MERGE: Final = "imgtool merge FILE -o OUT.bin makes an image of it"
_EXTRACT: Final = "imgtool extract FILE shows its parts; --part NAME -o OUT.bin takes one out"


@dataclass(frozen=True, slots=True, kw_only=True)
class PutFilesRequest:
    """Files that are to be put in.

    Attributes:
        files: The files by the names that they are to have; of one that is there the contents are replaced.
        image: The image or dump that they go into; None for a board.
        output: Where the changed image goes: its own name to replace it, None to see what would change.
        at: Where the file system begins that is meant; None for the one in use.
        dry_run: Of a board: whether nothing is to be written.
        left_out: Names of what was not taken along from a folder, to be told.
        connect: How to connect to a board; None for the usual way.
    """

    files: tuple[FolderFile, ...]
    image: InputFile | None = None
    output: str | None = None
    at: int | None = None
    dry_run: bool = False
    left_out: tuple[str, ...] = ()
    connect: ConnectOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveFilesRequest:
    """Stored files that are to go.

    Attributes:
        patterns: Patterns of the shell for their names.
        image: The image or dump; None for a board.
        output: Where the changed image goes: its own name to replace it, None to see what would change.
        at: Where the file system begins that is meant; None for the one in use.
        dry_run: Of a board: whether nothing is to be written.
        connect: How to connect to a board; None for the usual way.
    """

    patterns: tuple[str, ...]
    image: InputFile | None = None
    output: str | None = None
    at: int | None = None
    dry_run: bool = False
    connect: ConnectOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFilesResult:
    """A file system that was changed, or would be.

    Attributes:
        command: ``files put`` or ``files remove``.
        name: Path of the image, or name of the port.
        output: Where the changed image goes; None for a dry run, and for a board.
        written: Whether anything is changed: an image to be written, or a board.
        change: What changes; None where a pattern fits no file, so that nothing does.
        patched: The changed image with its checks; None for a board, or without a change.
        board: What was done to a board; None for an image.
        without: The patterns that no file fits.
        left_out: What was not taken along from a folder.
    """

    command: str
    name: str
    output: str | None = None
    written: bool = False
    change: FileChange | None = field(default=None, repr=False)
    patched: Patched | None = field(default=None, repr=False)
    board: BoardChange | None = None
    without: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is to be said."""
        return () if self.patched is None else self.patched.findings

    @property
    def ok(self) -> bool:
        """Whether all was done, and all checks of a changed image hold."""
        return not self.without and (self.patched is None or self.patched.after.ok)

    @property
    def code(self) -> int:
        """The exit code."""
        return DONE if self.ok else NO

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The changed image; nothing for a dry run or a board."""
        if self.output is None or self.patched is None or not self.written:
            return ()
        return (Output(self.output, self.patched.data),)

    @property
    def document(self) -> Document:
        """What ``imgtool files put --json`` and ``imgtool files remove --json`` print."""
        is_board = self.board is not None
        fields = {
            "path": None if is_board else self.name,
            "port": self.name if is_board else None,
            "output": self.output,
            "written": self.written,
            **_change_fields(self.change),
            "without": list(self.without),
            "left_out": list(self.left_out),
            "sha256": None if self.patched is None else self.patched.after.sha256,
            "board": None if self.board is None else self.board.fields,
            "findings": [finding_fields(finding) for finding in self.findings],
        }
        warnings = warnings_of(self.findings, *map(no_match, self.without))
        return document(self.command, ok=self.ok, results=[fields], warnings=warnings)

    @property
    def words(self) -> Words:
        """What a person is told, with a table of the files."""
        change = self.change
        if change is None:
            return Words(
                verdict=Phrase(self._where(), ": nothing is removed"),
                tone=Tone.WRONG,
                notes=tuple(map(no_match, self.without)),
            )
        return Words(
            verdict=Phrase(self._where(), f": {self._summary(change)}"),
            tone=Tone.PLAIN if self.ok else Tone.WRONG,
            rows=tuple(self._rows(change)),
            tables=(_table(change),) if change.put or change.removed else (),
            findings=self.findings,
            notes=self._notes(),
        )

    def _where(self) -> Phrase:
        return Phrase("on the board at " if self.board is not None else "", Name(self.output or self.name))

    def _summary(self, change: FileChange) -> str:
        would = "" if self.written else "would be "
        parts = []
        new = sum(not one.same for one in change.put)
        same = len(change.put) - new
        if new:
            parts.append(f"{count_words(new)} {would}put in")
        if same:
            parts.append(f"{count_words(same)} {'is' if same == 1 else 'are'} there already")
        if change.removed:
            parts.append(f"{count_words(len(change.removed))} {would}removed")
        return ", ".join(parts) or "nothing is to be done"

    def _rows(self, change: FileChange) -> list[Row]:
        kept = change.kept
        of = f" of {change.owner.title}" if change.owner.title else ""
        rows = [
            Row("in", f"{kept.found.name}{of} at {kept.found.where}"),
            Row("then", f"{count_words(len(change.files))}, {in_bytes(change.space.left)} left"),
        ]
        sectors = change.sectors
        if sectors:
            verb = "written" if self.written else "to write"
            how = " (made anew, without what deleted files took)" if change.way is ChangeWay.REBUILT else ""
            rows.append(Row(verb, f"{in_bytes(sum(len(each.data) for each in sectors))}{how}{self._took()}"))
        return rows

    def _took(self) -> str:
        if self.board is None or not self.board.written:
            return ""
        return f", each file read back, in {duration(self.board.seconds)}"

    def _notes(self) -> tuple[str, ...]:
        notes: list[str] = [not_taken(self.left_out)] if self.left_out else []
        saved = None if self.board is None else self.board.saved
        notes += [] if saved is None else [Phrase("the files as they were are in ", Name(saved.path))]
        if self.board is not None and self.board.retries:
            count = self.board.retries
            notes.append(Phrase(f"{count} step{'s' if count > 1 else ''} had to be done again"))
        return tuple(notes)


def _change_fields(change: FileChange | None) -> dict[str, Any]:
    if change is None:
        return {"kind": None, "offset": None, "way": None, "put": [], "removed": [], "free": None}
    return {
        "kind": str(change.kept.found.kind),
        "offset": change.kept.found.start,
        "way": change.way.value,
        "put": [
            {"path": shown(one.name), "size": one.size, "replaced": one.replaced, "same": one.same}
            for one in change.put
        ],
        "removed": [{"path": file.path, "size": file.size} for file in change.removed],
        "free": change.space.left,
    }


def _table(change: FileChange) -> Table:
    rows = [
        (f"{one.size:,}", Name(shown(one.name)), _fate(one.replaced, same=one.same)) for one in change.put
    ]
    rows += [(f"{file.size:,}", Name(file.path), Toned("removed", Tone.CARE)) for file in change.removed]
    return Table(rows=tuple(rows), head=("size", "file", ""), right=(0,))


def _fate(replaced: int | None, *, same: bool) -> Toned:
    if same:
        return Toned("is there already", Tone.DIM)
    if replaced is None:
        return Toned("new", Tone.GOOD)
    return Toned(f"in place of {in_bytes(replaced)}", Tone.CARE)


def put_files(
    request: PutFilesRequest,
    wire: Wire | None = None,
    on_event: Listener = ignore,
    *,
    keeping: Keeping | None = None,
) -> ChangeFilesResult:
    """Put files into the file system of an image, a dump or a board.

    A board's firmware is started again afterwards.

    Args:
        request: The files, and where they go.
        wire: The board, as an open port that stays open; None where the request has an image.
        on_event: Told what happens; what it raises stops the job.
        keeping: Saves the file system of a board as it was; needed where one is written.

    Raises:
        UsageError: There is nothing to put in, neither image nor board, or nothing tells which of several
            file systems is meant.
        FormatError: The image holds no file system, or is packed; of a damaged one a DamagedFilesError.
        LayoutError: No file system is found on the board; the files do not fit (a FileRoomError, by how many
            bytes), or have names that its firmware cannot open (a FileNameError).
        ChipError: The chip is silent, or refuses.
        PortError: The port is lost and does not come back.
        VerifyError: The flash does not hold what was written.
        InterruptedRunError: It was stopped; it says what is on the board now.
    """
    if not request.files:
        raise UsageError("there is nothing to put in", expected="files, or folders with files")
    files = new_files(request.files)
    result = _done(_PUT, request, lambda kept: changed(kept, files), wire, on_event, keeping)
    return replace(result, left_out=request.left_out)


def remove_files(
    request: RemoveFilesRequest,
    wire: Wire | None = None,
    on_event: Listener = ignore,
    *,
    keeping: Keeping | None = None,
) -> ChangeFilesResult:
    """Remove files from the file system of an image, a dump or a board.

    Where a pattern fits no file, nothing is removed, and the result is not ok.  A board's firmware is started
    again afterwards.

    Args:
        request: Which files.
        wire: The board, as an open port that stays open; None where the request has an image.
        on_event: Told what happens; what it raises stops the job.
        keeping: Saves the file system of a board as it was; needed where one is written.

    Raises:
        ImgtoolError: As :func:`put_files`.
    """
    if not request.patterns:
        raise UsageError(
            "nothing is named that is to be removed", expected="names, or patterns such as *.lua"
        )
    without: list[str] = []

    def planned(kept: ReadFileSystem) -> FileChange | None:
        check_undamaged(kept)
        found = matched(kept.system.files, request.patterns)
        without.extend(found.without)
        return None if found.without else changed(kept, remove={file.name for file in found.files})

    result = _done(_REMOVE, request, planned, wire, on_event, keeping)
    return replace(result, without=tuple(without))


def _done(
    command: str,
    request: PutFilesRequest | RemoveFilesRequest,
    planned: Callable[[ReadFileSystem], FileChange | None],
    wire: Wire | None,
    on_event: Listener,
    keeping: Keeping | None,
) -> ChangeFilesResult:
    image = request.image
    if (image is None) == (wire is None):
        found = "neither" if image is None else "both"
        raise UsageError("files are in an image or on a board", expected="one of them", found=found)
    if wire is not None:
        done = change_board(
            wire,
            request.connect,
            request.at,
            planned,
            keeping or Keeping(),
            on_event,
            dry_run=request.dry_run,
        )
        written = not request.dry_run and done.change is not None
        return ChangeFilesResult(
            command=command, name=wire.name, written=written, change=done.change, board=done
        )
    if image is None:
        raise AssertionError("there is an image or a board")
    with stoppable():
        on_event(Event("files", 0, 1, image.name))
        try:
            result = _of_image(command, image, request, planned)
        except UsageError:
            raise
        except ImgtoolError as error:
            raise error.with_source(image.name) from None
        on_event(Event("files", 1, 1, image.name))
    return result


def _of_image(
    command: str,
    image: InputFile,
    request: PutFilesRequest | RemoveFilesRequest,
    planned: Callable[[ReadFileSystem], FileChange | None],
) -> ChangeFilesResult:
    description = describe(image.data)
    _check_open(description)
    held = held_in(image.data, description)
    change = planned(held.read(held.chosen(request.at)))
    if change is None:
        return ChangeFilesResult(command=command, name=image.name)
    writes = tuple(Write(piece.address, piece.data) for piece in change.sectors)
    return ChangeFilesResult(
        command=command,
        name=image.name,
        output=request.output,
        written=request.output is not None,
        change=change,
        patched=make(image.data, Changes(writes=writes)),
    )


def _check_open(description: Description) -> None:
    """Refuse a file that only wraps another one, or is none of ours.

    Raises:
        FormatError: It is.
    """
    row = KINDS[description.kind]
    if row.wraps or row.packs:
        article = "an" if row.words[0] in "AEIOSaeio" else "a"
        error = FormatError(
            f"files are not changed inside {article} {row.words}: {row.closed}",
            expected="the image or dump itself",
            found=row.words,
        )
        inside = description.content
        if inside is not None and not inside.foreign:
            error.add_note(_MERGE if KINDS[inside.kind].at_start else _EXTRACT)
        raise error
    refuse_without_parts(description)
