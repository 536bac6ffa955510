"""What every start needs: argument files, the option that all commands have.

Apart from options.py, which only the commands that make images need.
"""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import Annotated, Final

import typer

from imgtool.phrase import Name, Phrase

__all__ = ["INIT_DATA_PLACE", "NAMED_PLACES", "JsonOption", "expand_arguments"]

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

INIT_DATA_PLACE: Final = "@init-data"
"""The place that init data goes to by its name, too."""

NAMED_PLACES: Final = (INIT_DATA_PLACE, "@rf-cal", "@lfs", "@spiffs")
"""Places that go by name; every other word that begins with @ names a file of arguments."""


def _words_of(line: str) -> list[str]:
    """The words of a line up to a comment, quoted or not; a backslash is a part of a name."""
    import shlex

    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.escape = lexer.commenters = ""
    return list(takewhile(lambda word: not word.startswith("#"), lexer))


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
            lines = Path(word[1:]).read_text(encoding="utf-8-sig").splitlines()
            for line in lines:
                words += _words_of(line)
        except (OSError, ValueError) as error:
            from imgtool.cli.input.files import unusable

            raise unusable(Phrase("the argument file ", Name(word[1:])), "read", error) from None
    return words
