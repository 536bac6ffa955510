"""``imgtool fullimage``: the image of a whole flash, with init data and the SDK's sectors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgtool.cli.input.arguments import JsonOption
from imgtool.cli.input.options import (
    FreqOption,
    ImagesArgument,
    ModeOption,
    SetOption,
    images_of,
)
from imgtool.engine.placing import INIT_DATA_CHOICES, size_name
from imgtool.errors import UsageError
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from imgtool.cli.input.placing import FromParts
    from imgtool.operations.assemble.extras import InitDataSource
    from imgtool.operations.assemble.fullimage import Extras, FullImage
    from imgtool.operations.assemble.pieces import Piece

__all__ = ["fullimage"]


def fullimage(
    images: ImagesArgument = None,
    size: Annotated[
        str,
        typer.Option(
            "--size", metavar="SIZE", help="Flash size, such as 512KB, 1MB or 4MB.", show_default=False
        ),
    ] = ...,  # type: ignore[assignment]  # typer's way to say that it must be given, after an optional argument
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Default: named after firmware and size.",
            show_default=False,
        ),
    ] = None,
    init_data: Annotated[
        str | None,
        typer.Option(
            "--init-data",
            metavar="SOURCE",
            help=f"{', '.join(INIT_DATA_CHOICES)}, or a file. Default: auto; extracted parts keep theirs.",
            show_default=False,
        ),
    ] = None,
    changes: SetOption = None,
    filesystem: Annotated[
        str | None, typer.Option("--filesystem", metavar="FILE[@ADDR]", help="A file system image.")
    ] = None,
    lfs: Annotated[Path | None, typer.Option("--lfs", metavar="FILE", help="An LFS image.")] = None,
    mode: ModeOption = "keep",
    freq: FreqOption = "keep",
    keep_header: Annotated[
        bool, typer.Option("--keep-header", help="Leave the size in the header; it must agree.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan, write nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Make a whole-flash image: firmware, init data, blank RF-cal and system sectors.

    Without IMAGES it takes 0x*.bin from this folder, or else from bin.

    Example: imgtool fullimage --size 4MB 0x00000.bin 0x10000.bin -o flash.bin
    """
    from dataclasses import replace

    from imgtool.cli.input.files import write_file
    from imgtool.cli.input.placing import found_here, from_parts, header_change, init_source, pieces_of
    from imgtool.operations.assemble.fullimage import fullimage as make

    flash, _ = size_name(size)
    change, _ = header_change(mode, freq)
    placed = images_of(images) if images else found_here()
    pieces, named = pieces_of(placed)
    if not pieces:
        raise UsageError(
            "no firmware is given", expected="FILE, or 0x00000.bin and 0x10000.bin", found=named[0][0]
        )
    parts = from_parts(placed, pieces)
    source = init_source(init_data or _default_init_data(parts, pieces), changes or [])
    extras = _extras(source, filesystem, lfs, named)
    made = make(pieces, flash, extras, header=change, keep_header=keep_header)
    made = replace(made, findings=(*parts.findings, *made.findings))
    target = output or Path(made.name)
    if not dry_run:
        others = [piece.name for piece in (extras.filesystem, extras.lfs, source.file) if piece is not None]
        write_file(target, made.data, [*(i.path for i in placed), *parts.files, *map(Path, others)])
    _report(made, target, dry_run=dry_run, as_json=json)
    raise typer.Exit(0 if made.description.ok else 1)


def _default_init_data(parts: FromParts, pieces: list[Piece]) -> str:
    """What stands for init data where no option says: of an extracted flash image what it has, even none."""
    if not parts.files:
        return "auto"
    from imgtool.operations.assemble.extras import own_init_data

    return own_init_data(pieces)


def _extras(
    source: InitDataSource, filesystem: str | None, lfs: Path | None, named: list[tuple[str, Piece]]
) -> Extras:
    from dataclasses import replace

    from imgtool.cli.input.placing import filesystem_piece, read_content
    from imgtool.operations.assemble.extras import AT_ITS_PLACE
    from imgtool.operations.assemble.fullimage import Extras
    from imgtool.operations.assemble.pieces import Piece

    extras = Extras(
        source,
        None if filesystem is None else filesystem_piece(filesystem),
        None if lfs is None else Piece(0, read_content(lfs), Name(lfs)),
    )
    for name, piece in named:
        if name == "@lfs":
            extras = replace(extras, lfs=piece)
        elif name == "@spiffs":
            extras = replace(extras, filesystem=replace(piece, address=AT_ITS_PLACE))
        elif name == "@init-data":
            extras = replace(extras, init_data=replace(source, choice="file", file=piece))
        else:
            raise UsageError(
                "the RF-cal sector of a new image is always blank", expected="no @rf-cal", found=name
            )
    return extras


def _report(made: FullImage, target: Path, *, dry_run: bool, as_json: bool) -> None:
    description = made.description
    if as_json:
        from imgtool.cli.show.document import print_document
        from imgtool.engine.documents import document, warnings_of
        from imgtool.engine.images import full_image_fields

        fields = full_image_fields(target, made, written=not dry_run)
        warnings = warnings_of((*made.findings, *description.findings))
        print_document(document("fullimage", ok=description.ok, results=[fields], warnings=warnings))
        return
    from imgtool.cli.show.render import show_findings, show_layout, show_lines, show_pieces

    verb = "would be" if dry_run else "is"
    show_lines(
        [
            Phrase(
                target, f" {verb} the image of a whole flash of {made.flash.name}: {len(made.data):,} bytes"
            ),
            "",
        ]
    )
    show_pieces(made.pieces)
    show_lines(["", f"  Layout: {made.rule}.", ""])
    show_layout(description.parts, description.size)
    findings = (*made.findings, *description.findings)
    if findings:
        show_lines([""])
        show_findings(findings)
