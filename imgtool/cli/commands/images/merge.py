"""``imgtool merge``: build outputs to one image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from imgtool.cli.input.arguments import JsonOption
from imgtool.cli.input.options import (
    FreqOption,
    ImagesArgument,
    ModeOption,
    OldSizeOption,
    OutputFormat,
    SizeOption,
    images_of,
    number,
)
from imgtool.errors import UsageError
from imgtool.phrase import Phrase

if TYPE_CHECKING:
    from imgtool.operations.assemble.merge import Merged

__all__ = ["merge"]

_BYTE = 256


def merge(
    images: ImagesArgument,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="Where to write.", show_default=False)
    ],
    fill: Annotated[
        str | None, typer.Option("--fill", metavar="BYTE", help="Value between the parts; default 0xFF.")
    ] = None,
    pad_to: Annotated[
        str | None, typer.Option("--pad-to", metavar="SIZE", help="Fill up to this length.")
    ] = None,
    form: Annotated[
        OutputFormat | None,
        typer.Option("--format", help="Default: by the output's name, else bin.", show_default=False),
    ] = None,
    mode: ModeOption = "keep",
    freq: FreqOption = "keep",
    size: SizeOption = "keep",
    old_size: OldSizeOption = "keep",
    json: JsonOption = False,
) -> None:
    """Merge 0x00000.bin and 0x10000.bin, or any files with addresses, into one image.

    Example: imgtool merge 0x00000.bin 0x10000.bin -o nodemcu.bin
    """
    from dataclasses import replace

    from imgtool.cli.input.files import write_file
    from imgtool.cli.input.placing import from_parts, header_change, pieces_of
    from imgtool.operations.assemble.merge import merge as join

    placed = images_of(images or [])
    pieces, named = pieces_of(placed)
    change, spelling = header_change(mode, freq, size, old_size)
    parts = from_parts(placed, pieces)
    inputs = [*(image.path for image in placed), *parts.files]
    fill_byte = number("0xFF" if fill is None else fill, "byte")
    if fill_byte >= _BYTE:
        raise UsageError("not a byte", expected="0x00 to 0xFF", found=fill)
    length = None if pad_to is None else number(pad_to, "size")
    if not pieces:
        raise UsageError(
            "no firmware is given, by which a named place could be found", expected="FILE", found=named[0][0]
        )
    if named:
        from imgtool.operations.assemble.extras import place_by_name

        pieces = [*pieces, *place_by_name(pieces, named, change.size)]
    verbatim = parts.verbatim and not named
    merged = join(pieces, header=change, fill_byte=fill_byte, pad_to=length, verbatim=verbatim)
    merged = replace(merged, findings=(*parts.findings, *merged.findings))
    chosen = form or OutputFormat.of_name(output)
    data = _encoded(merged, chosen, filled=fill is not None or pad_to is not None)
    write_file(output, data, inputs)
    _report(merged, Written(output, chosen, len(data)), spelling, as_json=json)


def _encoded(merged: Merged, form: OutputFormat, *, filled: bool) -> bytes:
    if form is OutputFormat.BIN:
        return merged.data
    from imgtool.operations.assemble.encode import encode

    return encode(merged, form.value, filled=filled)


class Written(NamedTuple):
    """The file that was written: path, format and bytes."""

    path: Path
    form: OutputFormat
    size: int


def _report(merged: Merged, written: Written, spelling: str | None, *, as_json: bool) -> None:
    if as_json:
        from imgtool.cli.show.document import print_document
        from imgtool.engine.documents import document, warnings_of
        from imgtool.engine.images import merged_fields

        fields = merged_fields(written.path, written.form.value, written.size, merged)
        warnings = warnings_of(merged.findings, spelling)
        print_document(document("merge", ok=True, results=[fields], warnings=warnings))
        return
    from imgtool.cli.show.render import show_findings, show_lines, show_note, show_pieces

    show_lines([Phrase(written.path, f": {written.size:,} bytes, {written.form.value}")])
    show_pieces(merged.pieces)
    show_findings(merged.findings)
    show_note(spelling)
