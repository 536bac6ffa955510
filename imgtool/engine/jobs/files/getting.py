"""Files taken out of the file system of an image, a dump or a board.

Their names here are safe (imgtool.operations.extract.safe_names); where they are written is for who calls.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from imgtool.device.events import ignore
from imgtool.engine.documents import document, finding_fields, warnings_of
from imgtool.engine.jobs.extract_files import files_fields, notes_on_written, taken_of
from imgtool.engine.jobs.files.holder import holder, part_names
from imgtool.engine.jobs.files.listing import findings_of
from imgtool.engine.jobs.files.words import no_match
from imgtool.engine.results import Output, Tone, Words
from imgtool.engine.stopping import stoppable
from imgtool.engine.verdicts import DONE, NO
from imgtool.errors import UsageError
from imgtool.formats.reading import Severity
from imgtool.operations.files.match import matched
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from imgtool.device.events import Listener
    from imgtool.device.session import ConnectOptions
    from imgtool.device.wire import Wire
    from imgtool.engine.documents import Document
    from imgtool.engine.inputs import InputFile
    from imgtool.engine.jobs.extract_files import FilesTaken
    from imgtool.formats.reading import Finding
    from imgtool.operations.files.match import Matched

__all__ = ["GetFilesRequest", "GetFilesResult", "get_files"]

_SHOWN: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class GetFilesRequest:
    """Which stored files are to be taken out.

    Attributes:
        image: The image or dump; None where a board is asked.
        patterns: Patterns of the shell for their names; none for all.
        output: The folder that they go to; None for none, where one file alone is meant.
        at: Where the file system begins that is meant; None for the one in use.
        connect: How to connect to a board; None for the usual way.
    """

    image: InputFile | None = None
    patterns: tuple[str, ...] = ()
    output: str | None = None
    at: int | None = None
    connect: ConnectOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetFilesResult:
    """Files that were taken out.

    Attributes:
        name: Path of the image, or name of the port.
        board: Whether it is a board.
        output: The folder that they go to; None for none.
        taken: The files, with their names below the folder.
        without: The patterns that no file fits.
    """

    name: str
    board: bool
    output: str | None
    taken: FilesTaken = field(repr=False)
    without: tuple[str, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is to be said."""
        return (*self.taken.findings, *notes_on_written(self.taken))

    @property
    def ok(self) -> bool:
        """Whether every pattern fits a file, and nothing is damaged."""
        return self.taken.ok and not self.without

    @property
    def code(self) -> int:
        """The exit code."""
        return DONE if self.ok else NO

    @property
    def document(self) -> Document:
        """What ``imgtool files get --json`` prints."""
        fields = {
            "path": None if self.board else self.name,
            "port": self.name if self.board else None,
            "output": self.output,
            **files_fields(self.taken, self.output),
            "without": list(self.without),
            "findings": [finding_fields(finding) for finding in self.findings],
        }
        warnings = warnings_of(self.findings, *map(no_match, self.without))
        return document("files get", ok=self.ok, results=[fields], warnings=warnings)

    @property
    def words(self) -> Words:
        """What a person is told, with a table of the files."""
        where = "" if self.output is None else Phrase(" in ", Name(self.output))
        return Words(
            verdict=Phrase(f"{self.taken.count} of {self.taken.names}", where),
            tone=Tone.PLAIN if self.ok else Tone.WRONG,
            tables=(self.taken.table,) if self.taken.rows else (),
            findings=self.findings,
            notes=tuple(map(no_match, self.without)),
        )

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The files, below the folder, or the only one by its name alone."""
        if self.output is None:
            return tuple(Output(row.target, row.file.data) for row in self.taken.rows)
        return self.taken.outputs(self.output)


def get_files(
    request: GetFilesRequest, wire: Wire | None = None, on_event: Listener = ignore
) -> GetFilesResult:
    """Take files out of the file system of an image, a dump or a board.

    Of damaged files what can be read is given, and the result is not ok.

    Args:
        request: Which.
        wire: The board, as an open port that stays open; None where the request has an image.
        on_event: Told what happens; what it raises stops the job.

    Raises:
        UsageError: There is neither image nor board, nothing tells which of several file systems is meant, or
            several files fit where one alone is asked for.
        FormatError: The image holds no file system, or is none.
        LayoutError: No file system is found on the board, or the capacity of its flash is not known.
        ChipError: The chip is silent, or the content comes broken every time.
        PortError: The port is lost and does not come back.
        InterruptedRunError: It was stopped.
    """
    with (
        stoppable("nothing was changed, and no file was written"),
        holder(request.image, request.at, wire, request.connect, on_event) as held,
    ):
        found = held.held.chosen(request.at)
        kept = held.held.read(found)
    files = matched(kept.system.files, request.patterns)
    if request.output is None:
        _check_one(files)
    names = dict(zip(held.held.found, part_names(held.held.found), strict=True))
    system = replace(kept.system, files=files.files, findings=())
    # Who asks for some files does not care for damage to others.
    whole = bool(request.patterns) and all(file.whole for file in files.files)
    about = [each for each in held.findings if each.severity is not Severity.ERROR]
    findings = about if whole else [*held.findings, *findings_of(kept)]
    taken = taken_of([(names[found], system)], findings)
    return GetFilesResult(
        name=held.name, board=held.board, output=request.output, taken=taken, without=files.without
    )


def _check_one(found: Matched) -> None:
    """Refuse to give several files where one is asked for.

    Raises:
        UsageError: Several fit.
    """
    if len(found.files) <= 1:
        return
    paths = Phrase.joined(", ", [Name(file.path) for file in found.files[:_SHOWN]])
    more = len(found.files) - _SHOWN
    raise UsageError(
        "one file alone can be given without a folder",
        expected="a name that one file has",
        found=Phrase(paths, f" and {more} more" if more > 0 else ""),
    )
