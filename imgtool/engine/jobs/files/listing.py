"""The files that are stored in an image, in a dump or on a board, as a list.

Not their contents: getting.py takes them out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from imgtool.device.events import ignore
from imgtool.engine.documents import document, finding_fields, warnings_of
from imgtool.engine.jobs.files.holder import holder, part_names, read_systems
from imgtool.engine.jobs.files.words import count_words, fullness, no_match, system_words
from imgtool.engine.results import Table, Tone, Toned, Words
from imgtool.engine.stopping import stoppable
from imgtool.engine.verdicts import DONE, NO
from imgtool.formats.reading import Severity
from imgtool.operations.files.match import matched
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from imgtool.device.events import Listener
    from imgtool.device.session import ConnectOptions
    from imgtool.device.wire import Wire
    from imgtool.engine.documents import Document
    from imgtool.engine.inputs import InputFile
    from imgtool.engine.results import Output
    from imgtool.formats.filesystems.stored_files import FileSystem, StoredFile
    from imgtool.formats.reading import Finding
    from imgtool.operations.files.reading import ReadFileSystem

__all__ = ["ListFilesRequest", "ListFilesResult", "ListedSystem", "list_files"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFilesRequest:
    """Which stored files are to be listed.

    Attributes:
        image: The image or dump; None where a board is asked.
        patterns: Patterns of the shell for their names; none for all.
        at: Where the only file system begins that is meant; None for all that are there.
        connect: How to connect to a board; None for the usual way.
    """

    image: InputFile | None = None
    patterns: tuple[str, ...] = ()
    at: int | None = None
    connect: ConnectOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSystem:
    """A file system, and those of its files that are meant.

    Attributes:
        name: What to call it: ``spiffs``, ``spiffs-2``.
        system: The file system with all of its files.
        files: Those that are meant.
        used: Whether the firmware works with it; None where nothing tells.
        findings: What is to be said of it, damage first.
    """

    name: str
    system: FileSystem = field(repr=False)
    files: tuple[StoredFile, ...]
    used: bool | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFilesResult:
    """The files that are stored.

    Attributes:
        name: Path of the image, or name of the port.
        board: Whether it is a board.
        systems: The file systems with their files, in address order.
        without: The patterns that no file fits.
        findings: What is to be said, damage first.
    """

    name: str
    board: bool
    systems: tuple[ListedSystem, ...]
    without: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether every pattern fits a file, and nothing is damaged."""
        return not self.without and not any(each.severity is Severity.ERROR for each in self.findings)

    @property
    def code(self) -> int:
        """The exit code."""
        return DONE if self.ok else NO

    @property
    def document(self) -> Document:
        """What ``imgtool files list --json`` prints."""
        fields = {
            "path": None if self.board else self.name,
            "port": self.name if self.board else None,
            "file_systems": [_fields(each) for each in self.systems],
            "without": list(self.without),
            "findings": [finding_fields(finding) for finding in self.findings],
        }
        warnings = warnings_of(self.findings, *map(no_match, self.without))
        return document("files list", ok=self.ok, results=[fields], warnings=warnings)

    @property
    def words(self) -> Words:
        """What a person is told, with a table for each file system."""
        count = sum(len(each.files) for each in self.systems)
        several = f" in {len(self.systems)} file systems" if len(self.systems) > 1 else ""
        where = "on the board at " if self.board else ""
        return Words(
            verdict=Phrase(where, Name(self.name), f": {count_words(count)}{several}"),
            tone=Tone.PLAIN if self.ok else Tone.WRONG,
            tables=tuple(map(_table, self.systems)),
            findings=self.findings,
            notes=tuple(map(no_match, self.without)),
        )

    @property
    def outputs(self) -> tuple[Output, ...]:
        """None: nothing is made."""
        return ()


def list_files(
    request: ListFilesRequest, wire: Wire | None = None, on_event: Listener = ignore
) -> ListFilesResult:
    """List the files in the file systems of an image, a dump or a board.

    Args:
        request: Which.
        wire: The board, as an open port that stays open; None where the request has an image.
        on_event: Told what happens; what it raises stops the job.

    Raises:
        UsageError: There is neither image nor board, or no file system begins where one is asked for.
        FormatError: The image holds no file system, or is none.
        LayoutError: No file system is found on the board, or the capacity of its flash is not known.
        ChipError: The chip is silent, or the content comes broken every time.
        PortError: The port is lost and does not come back.
        InterruptedRunError: It was stopped.
    """
    with (
        stoppable("nothing was changed"),
        holder(request.image, request.at, wire, request.connect, on_event) as held,
    ):
        systems = read_systems(held, request.at)
    used = held.held.used
    names = dict(zip(held.held.found, part_names(held.held.found), strict=True))
    listed = tuple(
        ListedSystem(
            name=names[each.found],
            system=each.system,
            files=matched(each.system.files, request.patterns).files,
            used=None if used is None else each.found.start == used.start,
            findings=findings_of(each),
        )
        for each in systems
    )
    found = matched([file for each in systems for file in each.system.files], request.patterns)
    said = {(each.code, each.offset): each for one in listed for each in one.findings}
    said |= {(each.code, each.offset): each for each in held.findings}
    rank = list(Severity)
    return ListFilesResult(
        name=held.name,
        board=held.board,
        systems=listed,
        without=found.without,
        findings=tuple(sorted(said.values(), key=lambda each: rank.index(each.severity))),
    )


def findings_of(kept: ReadFileSystem) -> tuple[Finding, ...]:
    """What is to be said of a file system that was read."""
    return tuple(dict.fromkeys((*kept.findings, *kept.system.findings)))


def _fields(listed: ListedSystem) -> dict[str, Any]:
    system = listed.system
    return {
        "name": listed.name,
        "kind": str(system.kind),
        "offset": system.offset,
        "size": system.size,
        "block_size": system.block_size,
        "blocks": system.blocks,
        "layout": system.layout,
        "in_use": listed.used,
        "used": system.used,
        "free": system.free,
        "deleted": system.deleted,
        "files": [{"path": file.path, "size": file.size, "whole": file.whole} for file in listed.files],
    }


def _table(listed: ListedSystem) -> Table:
    rows = tuple(
        (
            f"{file.size:,}",
            Name(file.path) if file.whole else Toned(Phrase(Name(file.path), " (damaged)"), Tone.WRONG),
        )
        for file in listed.files
    )
    mark = {None: "", True: ", in use", False: ", not in use"}[listed.used]
    return Table(
        rows=rows,
        head=("size", "file"),
        right=(0,),
        title=f"{system_words(listed.system)}{mark}",
        lead=fullness(listed.system),
    )
