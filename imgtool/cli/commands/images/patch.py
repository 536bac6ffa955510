"""``imgtool patch``: change an image, a dump or init data, with all checks right afterwards."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from imgtool.chip import FLASH_SIZES
from imgtool.cli.input.arguments import JsonOption
from imgtool.cli.input.options import (
    OutputFormat,
    freq_option,
    init_data_option,
    mode_option,
    number,
    old_size_option,
    set_option,
)
from imgtool.engine.placing import INIT_DATA_CHOICES
from imgtool.errors import UsageError
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from imgtool.cli.input.placing import FileContent
    from imgtool.operations.assemble.pieces import Piece
    from imgtool.operations.patch.steps import Changes, Patched, Write
    from imgtool.operations.patch.table import TableChange

__all__ = ["patch"]

_KEEP: Final = "keep"
_SOURCES: Final = tuple(choice for choice in INIT_DATA_CHOICES if choice != "none")
_REST: Final = "rest"
_LIST: Final = "list"
_HEX: Final = re.compile(r"(?:0x)?((?:[0-9a-f]{2}[ :_]?)+)\Z", re.IGNORECASE)
_WORD: Final = 1 << 32

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
            "--spiffs-size", metavar="SIZE", help=f"Size of SPIFFS, or {_REST}.", rich_help_panel=_TABLE
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
        raise UsageError("no file is given", expected="FILE", found="none")
    from dataclasses import replace

    from imgtool.cli.input.files import write_file
    from imgtool.cli.input.placing import (
        content_of,
        filesystem_piece,
        header_change,
        init_source,
        read_content,
    )
    from imgtool.errors import ImgtoolError
    from imgtool.operations.assemble.pieces import Piece
    from imgtool.operations.patch.steps import Changes
    from imgtool.operations.patch.steps import patch as make

    _check_output(output, in_place=in_place, dry_run=dry_run)
    if init_data == "none":
        raise UsageError("init data is not taken out", expected=", ".join(_SOURCES), found=init_data)
    change, note = header_change(mode, freq, size, old_size)
    wanted = Changes(
        header=change,
        entry=None if entry is None else _address(entry),
        init_data=init_source(init_data, changes or []),
        table=_table(lfs_addr, lfs_size, spiffs_addr, spiffs_size),
        lfs=None if lfs is None else Piece(0, read_content(lfs), Name(lfs)),
        filesystem=None if filesystem is None else filesystem_piece(filesystem),
        writes=tuple(_write(word) for word in writes or []),
        repair=repair,
    )
    if wanted == Changes():
        raise UsageError("nothing is to be changed", expected="an option that says what", found="none")
    content = content_of(file)
    try:
        made = make(content.data, replace(wanted, writes=_moved(wanted.writes, content)))
    except ImgtoolError as error:
        raise error.with_source(str(file)) from None
    if content.start:
        note = Phrase(f"offsets count from 0x{content.start:06x} on, the lowest address in ", file)
    target = None if dry_run else file if in_place else output
    if target is not None:
        inputs = [] if in_place else [file, *_other_inputs(wanted)]
        write_file(target, _encoded(content, made, file, target), inputs)
    _report(file, target, made, note, as_json=json)
    raise typer.Exit(0 if made.after.ok else 1)


def _check_output(output: Path | None, *, in_place: bool, dry_run: bool) -> None:
    if output is not None and in_place:
        raise UsageError("--output and --in-place are both given", expected="one", found="both")
    if output is None and not in_place and not dry_run:
        raise UsageError(
            "nothing says where the result goes", expected="-o FILE, --in-place or --dry-run", found="none"
        )


def _address(text: str) -> int:
    value = number(text, "number")
    if value >= _WORD:
        raise UsageError("not a number of 32 bits", expected="at most 0xffffffff", found=text)
    return value


def _table(*words: str | None) -> TableChange:
    from imgtool.operations.patch.table import REST, TableChange

    lfs_addr, lfs_size, spiffs_addr, spiffs_size = words
    rest = spiffs_size is not None and spiffs_size.lower() == _REST
    return TableChange(
        None if lfs_addr is None else _address(lfs_addr),
        None if lfs_size is None else _address(lfs_size),
        None if spiffs_addr is None else _address(spiffs_addr),
        REST if rest else None if spiffs_size is None else _address(spiffs_size),
    )


def _write(word: str) -> Write:
    """``ADDR=HEX`` or ``ADDR=FILE``; what reads as hex is hex, ``./cafe`` is a file."""
    from imgtool.cli.input.files import read_file
    from imgtool.operations.patch.steps import Write

    address, equals, value = word.partition("=")
    if not equals or not value:
        raise UsageError("not bytes for an address", expected="ADDR=HEX or ADDR=FILE", found=Name(word))
    digits = _HEX.match(value)
    if digits is not None:
        return Write(_address(address), bytes.fromhex(re.sub("[ :_]", "", digits[1])))
    if not Path(value).exists() and re.fullmatch(r"(0x)?[0-9a-fA-F]*", value):
        raise UsageError("a byte has two hex digits", expected="an even number of them", found=Name(value))
    return Write(_address(address), read_file(Path(value)), Name(value))


def _other_inputs(changes: Changes) -> list[Path]:
    pieces: list[Piece | None] = [changes.lfs, changes.filesystem, changes.init_data.file]
    names = [piece.name for piece in pieces if piece is not None]
    return [Path(name) for name in (*names, *(write.name for write in changes.writes if write.name))]


def _moved(writes: tuple[Write, ...], content: FileContent) -> tuple[Write, ...]:
    """The writes to flash addresses of records as offsets from the lowest one."""
    from dataclasses import replace

    from imgtool.operations.patch.steps import LOAD_ADDRESSES

    moved = []
    for write in writes:
        if content.start and write.address < LOAD_ADDRESSES:
            if write.address < content.start:
                raise UsageError(
                    "the file begins behind that address",
                    expected=f"0x{content.start:x} or more",
                    found=f"0x{write.address:x}",
                )
            moved.append(replace(write, address=write.address - content.start))
        else:
            moved.append(write)
    return tuple(moved)


def _encoded(content: FileContent, made: Patched, file: Path, target: Path) -> bytes:
    """The file's bytes: raw, or as records where the target's name asks for them or FILE is replaced."""
    wanted = content.form if target == file else OutputFormat.of_name(target).value
    if wanted == OutputFormat.BIN.value:
        return made.data
    from imgtool.operations.assemble.encode import records_of
    from imgtool.operations.assemble.pieces import Piece

    return records_of(made.data, content.pieces or (Piece(0, made.data, Name(file)),), wanted)


def _report(file: Path, target: Path | None, made: Patched, note: str | None, *, as_json: bool) -> None:
    if as_json:
        from imgtool.cli.show.document import print_document
        from imgtool.engine.documents import document, patch_fields, warnings_of

        fields = patch_fields(str(file), None if target is None else str(target), made)
        warnings = warnings_of(made.findings, note)
        print_document(document("patch", ok=made.after.ok, results=[fields], warnings=warnings))
        return
    from imgtool.cli.show.patch_report import show_patched

    show_patched(str(file), None if target is None else str(target), made, note)


def _list_fields(*, as_json: bool) -> None:
    """Every field of init data that can be set."""
    from imgtool.formats.regions.init_data import FIELDS

    fields = [field for field in FIELDS if field.settable]
    if as_json:
        from imgtool.cli.show.document import print_document
        from imgtool.engine.documents import document, settable_fields

        rows = settable_fields(fields)
        print_document(document("patch", ok=True, results=rows))
        return
    from imgtool.cli.show.patch_report import show_fields

    show_fields(fields)
