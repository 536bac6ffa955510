"""``imgtool patch``: change an image, a dump or init data, with all checks right afterwards."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from imgtool.chip import FLASH_SIZES
from imgtool.cli.input.arguments import JsonOption
from imgtool.cli.input.options import (
    freq_option,
    init_data_option,
    mode_option,
    old_size_option,
    set_option,
)
from imgtool.engine.numbers import number_of_32_bits
from imgtool.engine.placing import INIT_DATA_CHOICES
from imgtool.errors import UsageError
from imgtool.phrase import Name

if TYPE_CHECKING:
    from imgtool.engine.jobs.patch import PatchRequest, Write

__all__ = ["patch"]

_KEEP: Final = "keep"
_SOURCES: Final = tuple(choice for choice in INIT_DATA_CHOICES if choice != "none")
_LIST: Final = "list"
_HEX: Final = re.compile(r"(?:0x)?((?:[0-9a-f]{2}[ :_]?)+)\Z", re.IGNORECASE)

_HEADER, _INIT, _TABLE, _CONTENT, _OUTPUT = (
    "Image header",
    "Init data",
    "NodeMCU partition table",
    "Contents",
    "Output",
)


def patch(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="An image, a dump, init data.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Where to write.", rich_help_panel=_OUTPUT),
    ] = None,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Replace FILE itself.", rich_help_panel=_OUTPUT)
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would change.", rich_help_panel=_OUTPUT)
    ] = False,
    mode: Annotated[str, mode_option("--mode", keep=False, panel=_HEADER)] = _KEEP,
    freq: Annotated[str, freq_option("--freq", keep=False, panel=_HEADER)] = _KEEP,
    size: Annotated[
        str,
        typer.Option(
            "--size",
            "--flash-size",
            metavar="SIZE",
            help=" ".join(size.name for size in FLASH_SIZES) + ".",
            rich_help_panel=_HEADER,
        ),
    ] = _KEEP,
    old_size: Annotated[str, old_size_option("--size", panel=_HEADER)] = _KEEP,
    entry: Annotated[
        str | None,
        typer.Option("--entry", metavar="ADDR", help="Entry point.", rich_help_panel=_HEADER),
    ] = None,
    changes: Annotated[
        list[str] | None, set_option("Set a field; --set list prints all.", panel=_INIT)
    ] = None,
    init_data: Annotated[str, init_data_option(_SOURCES, "Put it in: ", panel=_INIT)] = _KEEP,
    lfs_size: Annotated[
        str | None,
        typer.Option(
            "--lfs-size", metavar="SIZE", help="Size of LFS; 0 takes it out.", rich_help_panel=_TABLE
        ),
    ] = None,
    lfs_addr: Annotated[
        str | None,
        typer.Option("--lfs-addr", metavar="ADDR", help="Where LFS begins.", rich_help_panel=_TABLE),
    ] = None,
    spiffs_size: Annotated[
        str | None,
        typer.Option(
            "--spiffs-size", metavar="SIZE", help="Size of SPIFFS, or rest.", rich_help_panel=_TABLE
        ),
    ] = None,
    spiffs_addr: Annotated[
        str | None,
        typer.Option("--spiffs-addr", metavar="ADDR", help="Where SPIFFS begins.", rich_help_panel=_TABLE),
    ] = None,
    lfs: Annotated[
        Path | None,
        typer.Option("--lfs", metavar="FILE", help="An LFS image, relocated.", rich_help_panel=_CONTENT),
    ] = None,
    filesystem: Annotated[
        str | None,
        typer.Option(
            "--filesystem",
            metavar="FILE[@ADDR]",
            help="A file system image.",
            rich_help_panel=_CONTENT,
        ),
    ] = None,
    writes: Annotated[
        list[str] | None,
        typer.Option(
            "--write",
            metavar="ADDR=HEX|FILE",
            help="Bytes for a file offset or a load address.",
            show_default=False,
            rich_help_panel=_CONTENT,
        ),
    ] = None,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Make wrong checks right, too.", rich_help_panel=_CONTENT),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Change an image, a dump or init data; every check over it is right afterwards.

    Example: imgtool patch nodemcu.bin --mode dio --size 4MB -o patched.bin
    """
    if changes == [_LIST]:
        _list_fields(as_json=json)
        return
    if file is None:
        raise UsageError("no file is given", expected="FILE")
    from imgtool.cli.input.files import write_file
    from imgtool.cli.input.placing import changes_of, file_as_it_is, filesystem_file, init_file
    from imgtool.engine.jobs.patch import PatchRequest, table_change
    from imgtool.engine.jobs.patch import patch as make

    _check_output(output, in_place=in_place, dry_run=dry_run)
    target = None if dry_run else file if in_place else output
    request = PatchRequest(
        output=None if target is None else str(target),
        mode=mode,
        freq=freq,
        size=size,
        old_size=old_size,
        entry=None if entry is None else number_of_32_bits(entry),
        init_data=init_data,
        init_file=init_file(init_data),
        init_fields=changes_of(changes or []),
        table=table_change(lfs_addr, lfs_size, spiffs_addr, spiffs_size),
        lfs=None if lfs is None else file_as_it_is(lfs),
        filesystem=None if filesystem is None else filesystem_file(filesystem),
        writes=tuple(_write(word) for word in writes or []),
        repair=repair,
        file=file_as_it_is(file),
    )
    result = make(request)
    inputs = [] if in_place else _inputs(request)
    for made in result.outputs:
        write_file(Path(made.name), made.data, inputs)
    if json:
        from imgtool.cli.show.document import print_document

        print_document(result.document)
    else:
        from imgtool.cli.show.patch_report import show_patched

        show_patched(result.words)
    raise typer.Exit(result.code)


def _check_output(output: Path | None, *, in_place: bool, dry_run: bool) -> None:
    if output is not None and in_place:
        raise UsageError("--output and --in-place are both given", expected="one", found="both")
    if output is None and not in_place and not dry_run:
        raise UsageError("nothing says where the result goes", expected="-o FILE, --in-place or --dry-run")


def _write(word: str) -> Write:
    """``ADDR=HEX`` or ``ADDR=FILE``; what reads as hex is hex, ``./cafe`` is a file."""
    from imgtool.cli.input.files import read_file
    from imgtool.engine.jobs.patch import Write

    address, equals, value = word.partition("=")
    if not equals or not value:
        raise UsageError("not bytes for an address", expected="ADDR=HEX or ADDR=FILE", found=Name(word))
    digits = _HEX.match(value)
    if digits is not None:
        return Write(number_of_32_bits(address), bytes.fromhex(re.sub("[ :_]", "", digits[1])))
    if not Path(value).exists() and re.fullmatch(r"(0x)?[0-9a-fA-F]*", value):
        raise UsageError("a byte has two hex digits", expected="an even number of them", found=Name(value))
    return Write(number_of_32_bits(address), read_file(Path(value)), Name(value))


def _inputs(request: PatchRequest) -> list[Path]:
    """The files that must not be overwritten."""
    files = (request.file, request.lfs, request.filesystem, request.init_file)
    names = [each.name for each in files if each is not None]
    return [Path(name) for name in (*names, *(write.name for write in request.writes if write.name))]


def _list_fields(*, as_json: bool) -> None:
    """Every field of init data that can be set."""
    from imgtool.engine.jobs.patch import settable

    result = settable()
    if as_json:
        from imgtool.cli.show.document import print_document

        print_document(result.document)
    else:
        from imgtool.cli.show.patch_report import show_fields

        show_fields(result.words)
