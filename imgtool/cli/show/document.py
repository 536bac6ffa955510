"""Documents on stdout, as ``--json`` prints them.

Not what is in them (imgtool.engine.documents), and no rich: programs want a fast start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from imgtool.engine.documents import text_of

if TYPE_CHECKING:
    from imgtool.engine.documents import Document

__all__ = ["print_document"]


def print_document(document: Document, *, line: bool = False) -> None:
    """Print a document, on one line if that is asked for."""
    typer.echo(text_of(document, line=line))
