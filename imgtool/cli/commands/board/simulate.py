"""``imgtool simulate``: a virtual ESP8266 on a TCP port, a pseudo terminal or RFC 2217."""

from __future__ import annotations

import re
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from imgtool.cli.input.arguments import JsonOption
from imgtool.errors import FormatError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from imgtool.engine.jobs.virtual.simulate import ServedResult
    from imgtool.virtual.chip.machine import Setup
    from imgtool.virtual.line.servers import Channel, Server
    from imgtool.virtual.line.spec import Spec

__all__ = ["simulate"]

_LOOPBACK: Final = ("127.", "localhost", "::1")
_HIGHEST_PORT: Final = 65535
_PORT: Final = re.compile("[0-9]{1,9}")


def simulate(
    listen: Annotated[
        str,
        typer.Option(
            metavar="WAY", help="tcp://HOST:PORT, rfc2217://HOST:PORT or pty; port 0 is any free one."
        ),
    ] = "tcp://127.0.0.1:0",
    flash_size: Annotated[
        str | None,
        typer.Option(
            "--flash-size", metavar="SIZE", help="512KB, 1MB, 2MB, 4MB, 8MB or 16MB; 4MB if not given."
        ),
    ] = None,
    flash: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep the flash in this file; made, erased, where there is none."),
    ] = None,
    part: Annotated[
        str | None, typer.Option(metavar="NAME", help="The flash chip, such as W25Q32; `list` shows all.")
    ] = None,
    mac: Annotated[str | None, typer.Option(metavar="ADDRESS", help="The MAC address.")] = None,
    chip: Annotated[str, typer.Option(metavar="MODEL", help="esp8266 or esp8285.")] = "esp8266",
    timing: Annotated[
        str, typer.Option("--flash-timing", metavar="TIMES", help="typical or maximum, as in data sheets.")
    ] = "typical",
    boot: Annotated[
        str, typer.Option(metavar="MODE", help="What a new connection resets into: download or run.")
    ] = "download",
    boot_writes: Annotated[
        bool, typer.Option("--boot-writes", help="Let a boot write the init data that NodeMCU writes.")
    ] = False,
    rom: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A dump of the boot ROM, as IMGTOOL_BOOT_ROM: a boot runs the firmware's own code.",
        ),
    ] = None,
    fault: Annotated[str, typer.Option(metavar="PLAN", help="Faults, such as drop=in:120,slow=page:7.")] = "",
    realtime: Annotated[
        bool, typer.Option("--realtime", help="Take the time that the chip would, for tests of time-outs.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write counts and modelled times here at the end.")
    ] = None,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all traffic here, as JSON lines.")
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Serve nobody: play a record to a fresh chip and compare."),
    ] = None,
    json: JsonOption = False,
) -> int:
    """Run a virtual ESP8266 that flashing tools take for a real one.

    The first line says where it can be reached.  Ctrl-C or SIGTERM ends it; SIGUSR1 writes the report
    meanwhile.

    Example: imgtool simulate --listen pty --flash-size 1MB --report run.json
    """
    if part == "list":
        _show_parts()
        return 0
    from imgtool.virtual.chip.faults import parse_plan
    from imgtool.virtual.chip.machine import ChipModel
    from imgtool.virtual.line.spec import SIZES, Spec, parse_mac

    if flash_size is not None and flash_size.upper() not in SIZES:
        raise UsageError("not a size of a virtual flash", expected=", ".join(SIZES), found=flash_size)
    models = [model.value for model in ChipModel]
    with _usage():
        spec = Spec(
            size=None if flash_size is None else SIZES[flash_size.upper()],
            part=part,
            flash=flash,
            mac=None if mac is None else parse_mac(mac),
            model=ChipModel(_one_of(chip, models, "chip")),
            boot=_one_of(boot, ["download", "run"], "boot mode") == "run",
            boot_writes=boot_writes,
            rom=rom,
            faults=parse_plan(fault),
            timing=_one_of(timing, ["typical", "maximum"], "flash timing"),
        )
    if replay is not None:
        return _replay(spec, replay, as_json=json)
    return _serve(spec, _way(listen), SimulationOutput(report, record, realtime, json))


@contextmanager
def _usage() -> Iterator[None]:
    """What is wrong with a word of the command line is no fault of an input file."""
    try:
        yield
    except FormatError as error:
        raise UsageError(error.message, expected=error.expected, found=error.found) from None


class SimulationOutput(NamedTuple):
    """What a run is asked to write: report, record; whether in real time; whether as JSON."""

    report: Path | None
    record: Path | None
    realtime: bool
    as_json: bool


class Way(NamedTuple):
    """Where to listen."""

    kind: str
    host: str = ""
    port: int = 0


def _one_of(word: str, words: list[str], what: str) -> str:
    if word not in words:
        raise UsageError(f"not a {what}", expected=" or ".join(words), found=word)
    return word


def _way(text: str) -> Way:
    if text == "pty":
        return Way("pty")
    kind, mark, place = text.partition("://")
    host, colon, port = place.rpartition(":")
    kind = "tcp" if kind == "socket" else kind
    if not mark or kind not in ("tcp", "rfc2217") or not colon or _PORT.fullmatch(port) is None:
        raise UsageError(
            "not a way to listen", expected="tcp://HOST:PORT, rfc2217://HOST:PORT or pty", found=text
        )
    if int(port) > _HIGHEST_PORT:
        raise UsageError("there is no such port", expected=f"0 to {_HIGHEST_PORT}", found=port)
    return Way(kind, host.strip("[]") or "127.0.0.1", int(port))


def _channel(way: Way) -> Channel:
    from imgtool.errors import PortError
    from imgtool.virtual.line.servers import Pty, Rfc2217, Tcp

    try:
        if way.kind == "pty":
            return Pty()
        return (Tcp if way.kind == "tcp" else Rfc2217)(way.host, way.port)
    except (OSError, UnicodeError) as error:
        place = way.kind if way.kind == "pty" else f"{way.host}:{way.port}"
        reason = error.strerror if isinstance(error, OSError) else "no such host"
        raise PortError(f"cannot listen on {place}: {reason}") from None


def _setup(spec: Spec, resources: ExitStack) -> Setup:
    with _usage():
        setup = spec.setup()
    if setup.store is not None:
        resources.callback(setup.store.close)
    return setup


def _serve(spec: Spec, way: Way, output: SimulationOutput) -> int:
    from imgtool.cli.input.files import open_lines, write_file
    from imgtool.cli.show.text import stderr
    from imgtool.engine.jobs.virtual.simulate import ServedResult
    from imgtool.virtual.line.record import Recorder
    from imgtool.virtual.line.report import report
    from imgtool.virtual.line.servers import Server

    with ExitStack() as resources:
        setup = _setup(spec, resources)
        if output.report is not None:
            # Now, and not after an hour, is the time to hear that it cannot be written.
            write_file(output.report, b"{}\n")
        lines = resources.enter_context(open_lines(output.record))
        channel = _channel(way)
        chip = spec.chip(setup)
        recorder = None if lines is None else Recorder(lines, chip.facts())
        server = Server(chip, channel, boot=spec.boot, realtime=output.realtime, recorder=recorder)
        resources.callback(server.close)
        server.notice = lambda text: stderr().paragraph(text)

        def write_report() -> None:
            if recorder is not None:
                recorder.flush()
            if output.report is not None:
                write_file(output.report, _dump(report(server.link)))

        _on_signals(server, write_report, resources)
        served = ServedResult(channel.address)
        _announce(served, way, as_json=output.as_json)
        try:
            server.serve()
        finally:
            write_report()
    return served.code


def _on_signals(server: Server, write_report: Callable[[], None], resources: ExitStack) -> None:
    import signal

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.stop()

    def ask(_number: int, _frame: FrameType | None) -> None:
        server.ask(write_report)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    if hasattr(signal, "SIGUSR1"):
        signal.signal(signal.SIGUSR1, ask)
    signal.set_wakeup_fd(server.waker, warn_on_full_buffer=False)
    resources.callback(signal.set_wakeup_fd, -1)


def _announce(served: ServedResult, way: Way, *, as_json: bool) -> None:
    from imgtool.cli.show.text import stderr

    if as_json:
        from imgtool.cli.show.document import print_document

        # On one line, for who waits for it: nothing else comes before the end.
        print_document(served.document, line=True)
    else:
        typer.echo(served.words.verdict)
    import sys

    sys.stdout.flush()
    if way.host and not way.host.startswith(_LOOPBACK):
        stderr().paragraph(f"{way.host} can be reached from other machines: anybody there can use the chip")


def _dump(fields: dict[str, object]) -> bytes:
    import json

    return (json.dumps(fields, indent=2) + "\n").encode()


def _replay(spec: Spec, path: Path, *, as_json: bool) -> int:
    from imgtool.cli.input.placing import file_as_it_is
    from imgtool.engine.jobs.virtual.simulate import replay

    record = file_as_it_is(path)
    with ExitStack() as resources:
        result = replay(spec.chip(_setup(spec, resources)), record)
    if as_json:
        from imgtool.cli.show.document import print_document

        print_document(result.document)
    else:
        typer.echo(result.words.verdict)
        for row in result.words.rows:
            typer.echo(f"  {row.name:<8}  {row.text}")
    return result.code


def _show_parts() -> None:
    from imgtool.cli.show.text import stdout
    from imgtool.flash_parts import FLASH_PARTS

    rows = [
        (part.name, part.id.hex(" "), f"{part.bytes // 1024:,} KB", part.vendor)
        for part in sorted(FLASH_PARTS, key=lambda part: (part.bytes, part.name))
    ]
    stdout().table(rows, head=("part", "ID", "size", "vendor"), right=(2,))
