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
from imgtool.engine.placing import INIT_DATA_CHOICES

if TYPE_CHECKING:
    from imgtool.engine.jobs.fullimage import FullImageResult

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
    files: Annotated[
        Path | None,
        typer.Option(
            "--files", metavar="FOLDER", help="Files to put in: the file system is made for the firmware."
        ),
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
    from imgtool.cli.input import placing
    from imgtool.cli.input.file_tree import folder_files
    from imgtool.cli.input.files import write_file
    from imgtool.engine.jobs.fullimage import FullImageRequest
    from imgtool.engine.jobs.fullimage import fullimage as make

    request = FullImageRequest(
        files=placing.input_files(images_of(images) if images else placing.found_here()),
        size=size,
        output=None if output is None else str(output),
        init_data=init_data,
        init_file=placing.init_file(init_data) if init_data else None,
        init_fields=placing.changes_of(changes or []),
        filesystem=None if filesystem is None else placing.filesystem_file(filesystem),
        lfs=None if lfs is None else placing.input_file(lfs),
        content=None if files is None else folder_files(files),
        mode=mode,
        freq=freq,
        keep_header=keep_header,
        dry_run=dry_run,
    )
    result = make(request)
    for made in result.outputs:
        write_file(Path(made.name), made.data, map(Path, result.inputs))
    if json:
        from imgtool.cli.show.document import print_document

        print_document(result.document)
    else:
        _show(result)
    raise typer.Exit(result.code)


def _show(result: FullImageResult) -> None:
    from imgtool.cli.show.render import show_findings, show_layout, show_lines
    from imgtool.cli.show.text import stdout
    from imgtool.cli.show.words import show_table, show_verdict

    words, screen = result.words, stdout()
    show_verdict(screen, words)
    screen.line()
    for table in words.tables:
        show_table(screen, table)
    show_lines(["", *(f"  {row.name}: {row.text}." for row in words.rows), ""])
    show_layout(result.image.description.parts, result.image.description.size)
    if words.findings:
        screen.line()
        show_findings(words.findings)
