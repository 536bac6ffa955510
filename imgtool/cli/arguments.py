"""The words of a command line before any command sees them: argument files, and the error for wrong words.

Apart from options.py because every start needs it, also ``imgtool --version``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from imgtool.errors import ImgtoolError

__all__ = ["NAMED_PLACES", "UsageError", "expand_arguments"]

NAMED_PLACES: Final = ("@init-data", "@rf-cal", "@lfs", "@spiffs")
"""Places that go by name; every other word that begins with @ names a file of arguments."""


class UsageError(ImgtoolError):
    """The command line asks for something that makes no sense."""


def expand_arguments(arguments: list[str]) -> list[str]:
    """The arguments with every ``@FILE`` replaced by the words in that file.

    Raises:
        UsageError: There is no such file.
    """
    words: list[str] = []
    for word in arguments:
        if not word.startswith("@") or word.partition(":")[0] in NAMED_PLACES:
            words.append(word)
            continue
        try:
            import shlex

            words += shlex.split(Path(word[1:]).read_text(encoding="utf-8"), comments=True)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise UsageError(f"the argument file {word[1:]} cannot be read: {reason}") from None
    return words
