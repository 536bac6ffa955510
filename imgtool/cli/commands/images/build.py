"""``imgtool build``: a linked ELF program to images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from imgtool.chip import FLASH_SIZES, MEGABIT_SIZES
from imgtool.cli.input.arguments import JsonOption
from imgtool.cli.input.options import InitDataOption, SetOption, freq_option, mode_option
from imgtool.engine.placing import KEEP
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.engine.results import Output

__all__ = ["build"]

_AUTO: Final = "auto"


def build(
    elf: Annotated[Path, typer.Argument(metavar="ELF", help="A linked program.")],
    version: Annotated[
        int | None,
        typer.Option(
            "--version",
            metavar="1|2|3",
            help="1: the pair; 2: one image for an OTA slot; 3: an RTOS SDK 3 application.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="NAME",
            help="A file; for a pair a prefix, or a folder. Default: beside the ELF file.",
            show_default=False,
        ),
    ] = None,
    mode: Annotated[str, mode_option(keep=False)] = "qio",
    freq: Annotated[str, freq_option(keep=False)] = "40m",
    size: Annotated[
        str | None,
        typer.Option(
            "--flash-size",
            metavar="SIZE",
            help=f"{', '.join(size.name for size in FLASH_SIZES)}; default 1MB.",
            show_default=False,
        ),
    ] = None,
    old_size: Annotated[
        str | None,
        typer.Option(
            "-fs",
            metavar="SIZE",
            help=f"As --flash-size; also {', '.join(MEGABIT_SIZES)} (megabits).",
            show_default=False,
        ),
    ] = None,
    slot: Annotated[
        int | None,
        typer.Option("--slot", metavar="1|2", help="Version 2: the SDK's slot number.", show_default=False),
    ] = None,
    use_segments: Annotated[
        bool, typer.Option("--use-segments", help="Read program headers instead of sections.")
    ] = False,
    merge: Annotated[bool, typer.Option("--merge", help="Write one aggregated file.")] = False,
    full_size: Annotated[
        str | None,
        typer.Option("--fullimage", metavar="SIZE", help="Write the image of a whole flash."),
    ] = None,
    init_data: InitDataOption = _AUTO,
    changes: SetOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the report, write nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Build the images of a linked program, and say how full the chip's memories are.

    Example: imgtool build app.elf -o bin/
    """
    from imgtool.cli.input.placing import changes_of, file_as_it_is, init_file
    from imgtool.engine.jobs.build import BuildRequest
    from imgtool.engine.jobs.build import build as make

    into_folder = output is not None and _is_folder(output)
    request = BuildRequest(
        version=version,
        output=output,
        into_folder=into_folder,
        mode=mode,
        freq=freq,
        size=size or KEEP,
        old_size=old_size or KEEP,
        slot=slot,
        use_segments=use_segments,
        merge=merge,
        fullimage=full_size,
        init_data=init_data,
        init_file=init_file(init_data),
        init_fields=changes_of(changes or []),
        dry_run=dry_run,
        elf=file_as_it_is(elf),
    )
    result = make(request)
    _write(result.outputs, elf, output if into_folder else None)
    if json:
        from imgtool.cli.show.document import print_document

        print_document(result.document)
    else:
        from imgtool.cli.show.build_report import show_built

        show_built(result)
    raise typer.Exit(result.code)


def _is_folder(output: str) -> bool:
    separators = tuple(sep for sep in (os.sep, os.altsep) if sep)
    return output.endswith(separators) or Path(output).is_dir()


def _write(outputs: Sequence[Output], elf: Path, folder: str | None) -> None:
    from imgtool.cli.input.files import unusable, write_file, write_files

    if outputs and folder is not None:
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise unusable(Phrase("the folder ", Name(folder)), "made", error) from None
    files = [(Path(output.name), output.data) for output in outputs]
    if len(files) == 1:
        write_file(*files[0], [elf])  # which may be a device or a pipe, other than one of several
    else:
        write_files(files, [elf])
