"""Where the command line starts: the table of commands, and ``main``.

No command itself; exit codes and hints are of imgtool.engine.  Typer is imported at every start, so all else
that is slow to import waits until a command needs it.
"""

from __future__ import annotations

import gc
import io
import sys
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Final, ParamSpec, TypeVar, cast

import typer

import imgtool
from imgtool.cli.input.arguments import expand_arguments
from imgtool.cli.run import signals
from imgtool.cli.show.outlets import OutputError, is_gone, open_outlets
from imgtool.errors import (
    ImgtoolError,
    InterruptedRunError,
    UsageError,
)
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from imgtool.cli.show.outlets import Outlet

__all__ = ["ALIASES", "COMMANDS", "build_app", "main"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


# Those of imgtool.engine.verdicts, which a run without an error does not need.
_USAGE: Final = 2
_BUG: Final = 70

# The base of typer's usage errors has no public name.
_USAGE_ERROR = cast("type[Exception]", typer.BadParameter.__bases__[0])


COMMANDS: Final = {
    "inspect": "images.inspect",
    "merge": "images.merge",
    "split": "images.split",
    "fullimage": "images.fullimage",
    "build": "images.build",
    "patch": "images.patch",
    "extract": "images.extract",
    "files list": "files.list_",
    "files get": "files.get",
    "files put": "files.put",
    "files remove": "files.remove",
    "files make": "files.make",
    "compare": "images.compare",
    "advise": "images.advise",
    "flash": "board.flash",
    "verify": "board.verify",
    "read": "board.read",
    "erase": "board.erase",
    "id": "board.id",
    "prove": "board.prove",
    "ports": "board.ports",
    "monitor": "board.monitor",
    "explain": "board.explain",
    "simulate": "board.simulate",
    "try": "board.try_",
}
"""Each command and its module, below :mod:`imgtool.cli.commands`; the function in it has its name.

One of a group has the group's name before its own.
"""

GROUPS: Final = {"files": "Files of a SPIFFS or LittleFS, in an image, a dump or on a board."}
"""Each group of commands, and what it is for."""

ALIASES: Final = {
    "image-info": "inspect",
    "merge-bin": "merge",
    "elf2image": "build",
    "write-flash": "flash",
    "verify-flash": "verify",
    "read-flash": "read",
    "erase-flash": "erase",
    "erase-region": "erase",
    "flash-id": "id",
    "chip-id": "id",
    "read-mac": "id",
}
"""The names that esptool's users have in their fingers; they work, but help does not list them.

With an underscore instead of a dash too, as esptool had them until its version 5.
"""

_SPEAKING: Final = ("monitor", "simulate")
"""Commands that go on until they are stopped: they end when nobody hears them any more."""

_OTHER_NAMES: Final = ALIASES | {"boot": "try"}


def _nothing() -> None:
    """Nothing is to be done."""


class _InOrder(typer.core.TyperGroup):
    """Commands and groups in the order of the table; typer has all groups behind all commands."""

    def list_commands(self, _: object) -> list[str]:
        """The names as help lists them."""
        order = [*dict.fromkeys(name.split()[0] for name in COMMANDS), *_OTHER_NAMES]
        return sorted(self.commands, key=order.index)


def build_app(arguments: Sequence[str] = (), begin: Callable[[], None] = _nothing) -> typer.Typer:
    """The application with the command that the arguments name, or with all of them where they name none.

    Making a command costs typer a few milliseconds, and no run needs more than one.

    Args:
        arguments: The words.
        begin: Called right before the command runs.
    """
    known = COMMANDS | {alias: COMMANDS[name] for alias, name in _OTHER_NAMES.items()}
    first = arguments[0] if arguments else ""
    named = _named(arguments, known)
    app = _typer(cls=_InOrder, add_completion=not named, epilog="Start with: imgtool inspect FILE")
    app.callback()(_options)
    groups: dict[str, typer.Typer] = {}
    for name in named or known:
        if first == "--version":
            break
        group, _, own = name.rpartition(" ")
        if group and group not in groups:
            groups[group] = _typer(help=GROUPS[group], add_completion=False)
            app.add_typer(groups[group], name=group)
        module = import_module(f"imgtool.cli.commands.{known[name]}")
        function = getattr(module, known[name].rpartition(".")[2])
        to = groups[group] if group else app
        to.command(own, hidden=name in _OTHER_NAMES)(_interruptible(function, begin))
    return app


def _named(arguments: Sequence[str], known: Iterable[str]) -> list[str]:
    """The commands that arguments name: one, or all of a group; none where they name none."""
    first = arguments[0] if arguments else ""
    if first not in GROUPS:
        return [first] if first in known else []
    whole = " ".join(arguments[:2])
    return [whole] if whole in known else [name for name in known if name.startswith(f"{first} ")]


def _typer(**options: Any) -> typer.Typer:  # noqa: ANN401 - those of typer, handed on
    return typer.Typer(
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        **options,
    )


def _interruptible(command: Callable[_P, _R], begin: Callable[[], None]) -> Callable[_P, _R]:
    """The command, with Ctrl-C as an error like others; typer would end without a word."""

    @wraps(command)
    def run(*arguments: _P.args, **options: _P.kwargs) -> _R:
        try:
            begin()
            return command(*arguments, **options)
        except KeyboardInterrupt:
            raise InterruptedRunError("interrupted") from None

    return run


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"imgtool {imgtool.__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Firmware image workbench for the ESP8266 and ESP8285."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; ends the process with one of the documented exit codes.

    Args:
        arguments: The words; None for those of this process, whose streams and signals are taken over then.
    """
    if arguments is not None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # A name that the terminal cannot show is no reason to stop; outlets do likewise.
                stream.reconfigure(errors="backslashreplace")
        sys.exit(_code_of(arguments))
    words = sys.argv[1:]
    out, _ = open_outlets()
    if out is not None:
        out.ends_run = _command_of(words) in _SPEAKING
    try:
        code = _code_of(words, out, signals.end_in_order)
    except KeyboardInterrupt:
        # Once more, while the first was told.
        code = signals.INTERRUPTED
    except signals.EndedBySignal as ended:
        sys.stdout.flush()
        signals.end_by(ended.number)
    signals.end_at_once()
    # The process ends: a last search for garbage in all that was imported would cost a tenth of its time.
    gc.freeze()
    sys.exit(code)


def _code_of(given: list[str], out: Outlet | None = None, begin: Callable[[], None] = _nothing) -> int:
    """Run the command line; its exit code, when what is to be said of errors is said."""
    words = given
    try:
        words = expand_arguments(given)
        code = _run(words, begin)
        sys.stdout.flush()
    except (ImgtoolError, KeyboardInterrupt) as error:
        code = _told(error if isinstance(error, ImgtoolError) else InterruptedRunError("interrupted"), words)
    except OutputError as error:
        code = _unwritten(error.failure, words)
    except OSError as error:
        # Files have errors of their own; this is the net below them.
        code = _told(_unusable(error), words)
    except Exception:  # noqa: BLE001 - the last net: anything that comes here is a bug in imgtool
        import traceback

        traceback.print_exc()
        sys.stderr.write("imgtool: this is a bug in imgtool, please report it with the lines above\n")
        code = _BUG
    else:
        unwritten = 0 if out is None or out.failure is None else _unwritten(out.failure, words)
        return code or unwritten
    return code


def _unusable(error: OSError) -> UsageError:
    if not error.filename:
        return UsageError(error.strerror or str(error))
    from imgtool.cli.input.files import unusable

    return unusable(Name(error.filename), "used", error)


def _unwritten(failure: OSError, words: Sequence[str]) -> int:
    """The exit code of a run that is done, and whose answer could not be written."""
    if is_gone(failure):
        # The reader went away, as head does; what it wanted it has.
        return 0
    error = UsageError(f"the output cannot be written: {failure.strerror}")
    error.hint = "the work itself is done; make room, or have its answer written to another place"
    return _told(error, words)


def _told(error: ImgtoolError, words: Sequence[str]) -> int:
    """Say what went wrong; the exit code for it."""
    from imgtool.engine.hints import hint_for
    from imgtool.engine.verdicts import exit_code_of

    # Among events an error is one more line.
    right = _corrected(error, words)
    hint = hint_for(error, _command_of(words), right)
    hint = _with_command(hint, error, words) if right is None else hint
    _report(error, hint, as_json="--json" in words, line="--events" in words)
    return exit_code_of(error)


def _run(words: list[str], begin: Callable[[], None]) -> int:
    if any("\0" in word for word in words):
        raise UsageError("no word can have a null byte in it", expected="names and numbers")
    if words and words[0].replace("_", "-") in _OTHER_NAMES:
        words = [words[0].replace("_", "-"), *words[1:]]
    app = build_app(words, begin)
    if not words or (len(words) == 1 and words[0] in GROUPS):
        app([*words, "--help"], prog_name="imgtool", standalone_mode=False)
        return _USAGE
    try:
        code: Any = app(words, prog_name="imgtool", standalone_mode=False, obj=words)
    except _USAGE_ERROR as error:
        # typer's own print would know neither --json nor the hint.
        message = cast("typer.BadParameter", error).format_message().rstrip(".")
        raise UsageError(Phrase.quoting(message, words)) from None
    return code if isinstance(code, int) else 0


def _command_of(words: Sequence[str]) -> str:
    """The command that was given, by its own name, with that of its group; empty for none."""
    whole = " ".join(words[:2])
    if whole in COMMANDS:
        return whole
    name = words[0].replace("_", "-") if words else ""
    return _OTHER_NAMES.get(name, name)


def _corrected(error: ImgtoolError, words: Sequence[str]) -> str | None:
    """The command as it should have been given, where the error tells where files go."""
    if not error.moves:
        return None
    import typer.main

    from imgtool.cli.input.corrected import corrected, with_value

    group = typer.main.get_command(build_app(words))
    command = cast("typer.core.TyperGroup", group).commands[words[0]]
    return corrected(words, error.moves, with_value(command.params))


def _with_command(hint: str, error: ImgtoolError, words: Sequence[str]) -> str:
    """The hint with the name of the command that was given; one of another case speaks of no command."""
    name = words[0].replace("_", "-") if words else ""
    general = isinstance(error, UsageError) and error.hint is None
    if general and name in GROUPS:
        return hint.replace("COMMAND", _command_of(words))
    if general and (name in COMMANDS or name in _OTHER_NAMES):
        return hint.replace("COMMAND", words[0])
    return hint


def _report(error: ImgtoolError, hint: str, *, as_json: bool, line: bool) -> None:
    if as_json:
        from imgtool.engine.documents import error_document, text_of

        sys.stderr.write(text_of(error_document(error, hint), line=line) + "\n")
        return
    from imgtool.cli.show.render import show_error

    show_error(error, hint)
