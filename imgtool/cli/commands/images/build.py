"""``imgtool build``: a linked ELF program to images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from imgtool.chip import FLASH_SIZES, MEGABIT_SIZES
from imgtool.cli.input.arguments import JsonOption
from imgtool.cli.input.options import InitDataOption, SetOption, freq_option, mode_option
from imgtool.engine.placing import size_name
from imgtool.errors import UsageError
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from imgtool.engine.images import BuildOutput
    from imgtool.formats.reading import Finding
    from imgtool.operations.assemble.extras import InitDataSource
    from imgtool.operations.assemble.pieces import HeaderChange
    from imgtool.operations.building.images import Built

__all__ = ["build"]

_KEEP: Final = "keep"
_AUTO: Final = "auto"
_VERSIONS: Final = (1, 2)


class _BuildForm(NamedTuple):
    """What to make of the images."""

    merge: bool
    flash: str | None  # the size of a whole flash
    init_data: InitDataSource | None


def build(
    elf: Annotated[Path, typer.Argument(metavar="ELF", help="A linked program.")],
    version: Annotated[
        int, typer.Option("--version", metavar="1|2", help="1: the pair; 2: one image for an OTA slot.")
    ] = 1,
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
    from imgtool.cli.input.files import read_file
    from imgtool.cli.show.build_report import show_built
    from imgtool.errors import ImgtoolError
    from imgtool.operations.building.images import build as make

    _check_words(version, slot, one_file=merge or full_size is not None)
    form = _form(merge, full_size, init_data, changes or [])
    header, note = _header(mode, freq, (size or _KEEP, old_size or _KEEP), form.flash)
    data = read_file(elf)
    try:
        built = make(data, version, header=header, slot=slot, use_segments=use_segments)
        outputs, findings, ok = _outputs(built, elf, output, form)
    except ImgtoolError as error:
        raise error.with_source(str(elf)) from None
    if not dry_run:
        _write(outputs, elf, output)
    show_built(built, outputs, findings, elf=elf, note=note, written=not dry_run, as_json=json)
    raise typer.Exit(0 if ok else 1)


def _check_words(version: int, slot: int | None, *, one_file: bool) -> None:
    if version not in _VERSIONS:
        raise UsageError("there is no such image version", expected="1 or 2", found=str(version))
    if slot is not None and slot not in (1, 2):
        raise UsageError("there is no such slot", expected="1 or 2", found=str(slot))
    if slot is not None and version == 1:
        raise UsageError("a version-1 image has no slot", expected="--version 2", found=f"--slot {slot}")
    if one_file and version != 1:
        raise UsageError(
            "a version-2 image is one file, and needs a boot loader before it in a flash",
            expected="--merge and --fullimage with --version 1",
            found=f"--version {version}",
        )


def _form(merge: bool, full_size: str | None, init_data: str, changes: list[str]) -> _BuildForm:
    if full_size is None:
        if init_data != _AUTO or changes:
            raise UsageError(
                "init data goes into the image of a whole flash", expected="--fullimage SIZE", found="none"
            )
        return _BuildForm(merge, None, None)
    from imgtool.cli.input.placing import init_source

    return _BuildForm(merge, size_name(full_size)[0], init_source(init_data, changes))


def _header(
    mode: str, freq: str, sizes: tuple[str, str], flash: str | None
) -> tuple[HeaderChange, str | None]:
    from dataclasses import replace

    from imgtool.cli.input.placing import header_change

    change, note = header_change(mode, freq, *sizes)
    if change.mode is None or change.freq is None:
        raise UsageError(
            "there is no header yet that could be kept", expected="a mode and a frequency", found=_KEEP
        )
    if flash is not None and change.size not in (None, flash):
        raise UsageError(
            "two flash sizes are given", expected=f"--fullimage {flash} alone", found=change.size
        )
    return (change if flash is None else replace(change, size=flash)), note


def _outputs(
    built: Built, elf: Path, output: str | None, form: _BuildForm
) -> tuple[list[BuildOutput], tuple[Finding, ...], bool]:
    """The files, what is to be said of them beside the build, and whether all checks of them hold."""
    from imgtool.engine.images import BuildOutput

    stem = elf.with_suffix("")
    if form.flash is not None and form.init_data is not None:
        from imgtool.operations.assemble.fullimage import Extras, fullimage

        made = fullimage(built.pieces, form.flash, Extras(form.init_data))
        path = _one_path(f"{stem}-{form.flash}.bin", output)
        findings = (*made.findings, *made.description.findings)
        return [BuildOutput(path, 0, made.data, built.files[0].checksum)], findings, made.description.ok
    if form.merge:
        from imgtool.operations.assemble.merge import merge

        path = _one_path(f"{stem}.bin", output)
        return [BuildOutput(path, 0, merge(built.pieces).data, built.files[0].checksum)], (), True
    if built.version != 1:
        (file,) = built.files
        path = _one_path(f"{stem}-{file.suffix}", output)
        return [BuildOutput(path, file.address, file.data, file.checksum)], (), True
    paths = [_pair_path(elf, output, file.suffix) for file in built.files]
    files = zip(paths, built.files, strict=True)
    return [BuildOutput(path, file.address, file.data, file.checksum) for path, file in files], (), True


def _pair_path(elf: Path, output: str | None, suffix: str) -> Path:
    if output is None:
        return Path(f"{elf}-{suffix}")
    # A prefix is one to the letter, as esptool has it.
    return Path(output) / suffix if _is_folder(output) else Path(output + suffix)


def _is_folder(output: str) -> bool:
    separators = tuple(sep for sep in (os.sep, os.altsep) if sep)
    return output.endswith(separators) or Path(output).is_dir()


def _one_path(default: str, output: str | None) -> Path:
    if output is None:
        return Path(default)
    return Path(output) / Path(default).name if _is_folder(output) else Path(output)


def _write(outputs: list[BuildOutput], elf: Path, output: str | None) -> None:
    from imgtool.cli.input.files import unusable, write_file, write_files

    if output is not None and _is_folder(output):
        try:
            Path(output).mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise unusable(Phrase("the folder ", Name(output)), "made", error) from None
    if len(outputs) == 1:
        write_file(outputs[0].path, outputs[0].data, [elf])
    else:
        write_files([(each.path, each.data) for each in outputs], [elf])
