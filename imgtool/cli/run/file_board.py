"""What the commands of ``files`` share when they run: a job on an image or a board, the copy of its files.

Not what is done there (imgtool.engine.jobs.files).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from imgtool.cli.input.connection import connect_options, port_name
from imgtool.cli.input.file_words import check_no_board
from imgtool.cli.input.files import write_file, write_new_file
from imgtool.cli.run.backups import backup_place
from imgtool.cli.run.connecting import opened
from imgtool.errors import PortError
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imgtool.device.session import ConnectOptions
    from imgtool.engine.inputs import InputFile
    from imgtool.engine.jobs.files.changing import ChangeFilesResult
    from imgtool.engine.jobs.files.on_board import Keeping
    from imgtool.engine.jobs.flash import Backup

__all__ = ["BoardWords", "keeping", "run_job", "show_changed"]

_T = TypeVar("_T")


class _Request(Protocol):
    """What jobs of ``files`` are given."""

    @property
    def image(self) -> InputFile | None:
        """The image; None for a board."""


class BoardWords(NamedTuple):
    """What the options of a command say about a board.

    Attributes:
        port: The ports that are given.
        baud: Highest speed.
        stub: Flasher stub.
        no_stub: The same as the stub ``none``.
        reset: How it is reset.
        events: Whether progress goes to a program.
        silent: Whether nobody is told of it.
        backup: Where a copy of the files as they were is kept; None for nowhere.
    """

    port: list[str] | None
    baud: int | None
    stub: str
    no_stub: bool
    reset: str
    events: bool
    silent: bool
    backup: str | None = None

    @property
    def options(self) -> dict[str, object]:
        """Those that make no sense without a board, by name, with what is given."""
        return {
            "--port": self.port,
            "--baud": self.baud,
            "--stub": self.stub != "auto" or self.no_stub,
            "--reset": self.reset != "auto",
            "--events": self.events,
            "--backup": self.backup,
        }

    def connect(self) -> ConnectOptions:
        """How to connect.

        Raises:
            UsageError: A word makes no sense.
        """
        return connect_options(self.baud, self.stub, self.reset, no_stub=self.no_stub)


def run_job(job: Callable[..., _T], request: _Request, words: BoardWords, names: Sequence[str] = ()) -> _T:
    """Have a job done on the image of its request, or else on the board that is meant.

    Args:
        job: The job.
        request: What it is given.
        words: What the options say of a board.
        names: The words of the command, of which the first may have been meant for an image.

    Raises:
        PortError: The port cannot be opened, or none is found.
        UsageError: Several ports are given, or one beside an image.
    """
    if request.image is not None:
        check_no_board(words.options)
        return job(request)
    from imgtool.cli.show.progress import Progress

    try:
        name = port_name(words.port)
    except PortError as error:
        if names and not words.port:
            why = " is no image" if Path(names[0]).exists() else " is no file here"
            error.add_note(Phrase(Name(names[0]), why, ", so a board is asked"))
        raise
    with (
        Progress([name], events=words.events, silent=words.silent) as progress,
        opened(name, progress) as wire,
    ):
        return job(request, wire, progress.listener(name))


def show_changed(result: ChangeFilesResult, inputs: Sequence[Path], *, as_json: bool) -> None:
    """Write a changed image, and print what was changed.

    Args:
        result: What the job has made.
        inputs: Files that must not be written over.
        as_json: Whether a program reads it.

    Raises:
        UsageError: It cannot be written.
    """
    for made in result.outputs:
        write_file(Path(made.name), made.data, inputs)
    if as_json:
        from imgtool.cli.show.document import print_document

        print_document(result.document)
    else:
        from imgtool.cli.show.files_report import show_files

        show_files(result.words)


def keeping(where: str | None) -> Keeping:
    """How the files of a board are saved before they are changed.

    Args:
        where: What ``--backup`` says; without it the copy is taken away when all went well.

    Raises:
        UsageError: It is a file that is there, or in a folder that is not.
    """
    from imgtool.engine.jobs.files.on_board import Keeping

    place = backup_place(where)

    def save(backup: Backup) -> str:
        if place.folder:
            return place.save(backup)
        write_new_file(place.path, backup.data)
        return str(place.path)

    def drop(path: str) -> None:
        Path(path).unlink(missing_ok=True)

    return Keeping(save=save, drop=drop if where is None else None)
