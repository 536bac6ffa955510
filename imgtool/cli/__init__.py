"""The command line: commands, exit codes, hints.  Nothing here knows image formats or flash layouts.

One small file a command; what they share is in options.py, files.py, render.py and report.py.  Typer is
imported at every start, so everything else that is slow to import waits until a command needs it.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any, Final, cast

import typer

import imgtool
from imgtool.cli.fullimage import fullimage
from imgtool.cli.inspect import inspect
from imgtool.cli.merge import merge
from imgtool.cli.options import UsageError, expand_arguments
from imgtool.cli.split import split
from imgtool.errors import FormatError, ImgtoolError, LayoutError

__all__ = ["EXIT_CODES", "HINTS", "app", "main"]

USAGE: Final = 2
BUG: Final = 70
INTERRUPTED: Final = 130

# The base of typer's usage errors has no public name.
_USAGE_ERROR = cast("type[Exception]", typer.BadParameter.__bases__[0])

EXIT_CODES: Final[dict[type[ImgtoolError], int]] = {UsageError: USAGE, FormatError: 3, LayoutError: 4}
"""Exit code of each error; docs/exit-codes.md has the whole table."""

HINTS: Final[dict[type[ImgtoolError], str]] = {
    UsageError: "imgtool COMMAND --help shows the options and an example",
    FormatError: "imgtool inspect FILE shows what a file is and what is wrong with it",
    LayoutError: "imgtool inspect FILE shows what lies where; docs/flash-layouts.md has the rules",
}

app = typer.Typer(
    help="Firmware image workbench for the ESP8266 and ESP8285.",
    epilog="Start with: imgtool inspect FILE",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("inspect")(inspect)
app.command("merge")(merge)
app.command("split")(split)
app.command("fullimage")(fullimage)
# The names that esptool's users have in their fingers.
app.command("image-info", hidden=True)(inspect)
app.command("merge-bin", hidden=True)(merge)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"imgtool {imgtool.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Firmware image workbench for the ESP8266 and ESP8285."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; ends the process with one of the documented exit codes."""
    given = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in given
    try:
        _run(expand_arguments(given), as_json=as_json)
    except ImgtoolError as error:
        kind = next(known for known in type(error).__mro__ if known in EXIT_CODES)
        _report(error, HINTS[kind], as_json=as_json)
        sys.exit(EXIT_CODES[kind])
    except BrokenPipeError:
        # The reader went away, as head does; what it wanted it has.
        sys.stderr.close()
        sys.exit(0)
    except Exception:  # noqa: BLE001 - the last net: anything that comes here is a bug in imgtool
        import traceback

        traceback.print_exc()
        sys.stderr.write("imgtool: this is a bug in imgtool, please report it with the lines above\n")
        sys.exit(BUG)


def _run(arguments: list[str], *, as_json: bool) -> None:
    if not as_json:
        app(arguments, prog_name="imgtool")
        return
    # Under --json usage errors are one object on stderr too, so typer must not print them.
    try:
        code: Any = app(arguments, prog_name="imgtool", standalone_mode=False)
    except typer.Abort:
        sys.exit(INTERRUPTED)
    except _USAGE_ERROR as error:
        raise UsageError(cast("typer.BadParameter", error).format_message()) from None
    sys.exit(code if isinstance(code, int) else 0)


def _report(error: ImgtoolError, hint: str, *, as_json: bool) -> None:
    if as_json:
        from imgtool.cli.report import error_document

        sys.stderr.write(error_document(error, hint) + "\n")
        return
    from imgtool.cli.render import show_error

    show_error(error, hint)
