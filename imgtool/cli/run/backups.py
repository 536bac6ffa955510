"""Where a backup goes, how it gets there, and the question whether to make one.

Not its reading, and not when it is needed: imgtool.operations.flashing.safeguards.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.cli.input.files import check_new, write_new_file
from imgtool.errors import InterruptedRunError, UsageError
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from imgtool.cli.show.progress import Progress
    from imgtool.engine.jobs.flash import Answer, Ask, Backup
    from imgtool.errors import LostThing

__all__ = ["AUTO", "BackupPlace", "asks", "backup_place"]

AUTO: Final = "auto"
_MOST_NAMES: Final = 100  # of backups of one chip within a second
_QUESTION: Final = "Save the whole flash in a file first? [y]es, [n]o: stop, [l]ose it: "
_WITH_FILES: Final = "Save the whole flash first? [y]es, [k]eep the files, [n]o: stop, [l]ose: "
_FILES: Final = "files"


class BackupPlace(NamedTuple):
    """Where backups go.

    Attributes:
        path: A file, or the folder in which they are named by MAC and date.
        folder: Whether it is that.
    """

    path: Path
    folder: bool

    def save(self, backup: Backup) -> str:
        """Write a backup to a new file and say which.

        Raises:
            UsageError: It cannot be written.
        """
        path = self._new_name(backup) if self.folder or backup.files else self.path
        write_new_file(path, backup.data)
        return str(path)

    def _new_name(self, backup: Backup) -> Path:
        from imgtool.engine.jobs.read import backup_name

        folder = self.path if self.folder else self.path.parent
        first = folder / backup_name(backup.mac, datetime.now().astimezone(), files=backup.files)
        others = (first.with_stem(f"{first.stem}-{number}") for number in range(2, _MOST_NAMES))
        return next((path for path in (first, *others) if not os.path.lexists(path)), first)


def backup_place(where: str | None, *, boards: int = 1) -> BackupPlace:
    """What ``--backup`` means; without it a backup that is asked for later goes to this folder.

    Args:
        where: ``auto``, a folder that is there, or the name of a new file; None for none of them.
        boards: How many boards are backed up.

    Raises:
        UsageError: It is a file that is there, or in a folder that is not; or one file for several boards.
    """
    if where is None or where == AUTO:
        return BackupPlace(Path(), folder=True)
    path = Path(where)
    if path.is_dir() or where.endswith(("/", os.sep)):
        if not path.is_dir():
            raise UsageError(Phrase(path, " is no folder that is there"), expected="a folder")
        return BackupPlace(path, folder=True)
    if boards > 1:
        raise UsageError(
            "one file cannot hold the backups of several boards",
            expected=f"a folder, or {AUTO}",
            found=Name(where),
        )
    check_new(path)
    if not path.parent.is_dir():
        raise UsageError(
            Phrase(path, " cannot be written: its folder is not there"),
            expected="a folder that is there",
            found=Name(path.parent),
        )
    return BackupPlace(path, folder=False)


def asks(progress: Progress, *, quiet: bool) -> Ask | None:
    """Who asks the user at a terminal; None where nobody is there to answer.

    Args:
        progress: What is drawn, and has to make room for a question.
        quiet: Whether a program reads what is printed.
    """
    if quiet or sys.stdin is None or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None

    def ask(losses: tuple[LostThing, ...]) -> Answer:
        progress.clear()
        return _answer(losses)

    return ask


def _answer(losses: tuple[LostThing, ...]) -> Answer:
    from imgtool.cli.show.text import stdout
    from imgtool.cli.show.words import show_table
    from imgtool.engine.jobs.flash import Answer
    from imgtool.engine.plans import losses_table

    show_table(stdout(), losses_table(losses))
    meant = {"y": Answer.BACKUP, "yes": Answer.BACKUP, "l": Answer.LOSE, "lose": Answer.LOSE}
    question = _QUESTION
    if any(loss.kind == _FILES for loss in losses):
        question = _WITH_FILES
        meant |= {"k": Answer.KEEP_FILES, "keep": Answer.KEEP_FILES}
    try:
        word = input(question).strip().lower()
    except EOFError:
        return Answer.STOP
    except KeyboardInterrupt:
        raise InterruptedRunError("interrupted") from None
    return meant.get(word, Answer.STOP)
