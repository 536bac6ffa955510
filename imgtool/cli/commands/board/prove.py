"""``imgtool prove``: what only a chip can tell about imgtool's own stub, observed on this one, to a file."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from imgtool.cli.input.arguments import JsonOption
from imgtool.cli.input.connection import BaudOption, EventsOption, PortOption, ResetOption
from imgtool.errors import ImgtoolError, InterruptedRunError, LayoutError, UsageError, VerifyError
from imgtool.phrase import Phrase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.cli.show.progress import Progress
    from imgtool.device.session import Session
    from imgtool.operations.proof.assumptions import Proof
    from imgtool.operations.proof.scratch import Scratch

__all__ = ["prove"]

_BLOCK: Final = 0x1_0000
_NO: Final = 1


def prove(
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Where to write.",
            show_default="imgtool-stub-MAC-DATE.json",
        ),
    ] = None,
    scratch: Annotated[
        str | None,
        typer.Option(
            "--scratch",
            metavar="ADDR",
            help="Block of 64 KB to write, and to put back.",
            show_default="one that is blank",
        ),
    ] = None,
    board: Annotated[
        str | None,
        typer.Option("--board", metavar="TEXT", help="Which board it is, in your words.", show_default=False),
    ] = None,
    port: PortOption = None,
    baud: BaudOption = None,
    reset: ResetOption = "auto",
    json: JsonOption = False,
    events: EventsOption = False,
) -> None:
    """Try imgtool's own flasher stub on a chip, and write what was seen to a file.

    Exit code 0: all that is assumed of the chip holds. 1: something does not, or was not observed.

    Example: imgtool prove --port /dev/ttyUSB0
    """
    from datetime import datetime

    from imgtool.cli.input.connection import connect_options, port_name
    from imgtool.cli.input.files import write_file
    from imgtool.cli.run.connecting import connected
    from imgtool.cli.show.progress import Progress
    from imgtool.engine.documents import text_of
    from imgtool.engine.jobs.prove import proof_document

    address = None if scratch is None else _block_at(scratch)
    _check_output(output)
    options = connect_options(baud, "imgtool", reset)
    name = port_name(port)
    with (
        Progress([name], events=events, silent=json) as progress,
        connected(name, options, progress) as session,
    ):
        moment = datetime.now().astimezone()
        stem = f"{session.chip.mac_bytes.hex()}-{moment:%Y%m%d-%H%M%S}"
        path = output or Path(f"imgtool-stub-{stem}.json")
        start = session.wire.clock.monotonic()
        proof = _proof(session, address, path.parent / f"imgtool-scratch-{stem}.bin", progress, name)
        seconds = session.wire.clock.monotonic() - start
        text = text_of(proof_document(proof, session, board=board, moment=moment, seconds=seconds))
        write_file(path, (text + "\n").encode())
        progress.clear()
        if json:
            typer.echo(text)
        else:
            _show(proof, path, name)
    raise typer.Exit(0 if proof.ok else _NO)


def _block_at(text: str) -> int:
    from imgtool.cli.input.options import number

    address = number(text, "address")
    if address % _BLOCK:
        low = address // _BLOCK * _BLOCK
        raise UsageError(
            f"only a whole block of 0x{_BLOCK:x} bytes can be written and put back",
            expected=f"0x{low:x} or 0x{low + _BLOCK:x}",
            found=text,
        )
    return address


def _check_output(output: Path | None) -> None:
    """Look at the place of the output before the flash is written."""
    folder = Path() if output is None else output.parent
    if not folder.is_dir():
        raise UsageError(
            Phrase("there is no folder ", folder), expected="a folder that is there", found="none"
        )
    if output is not None and output.is_dir():
        raise UsageError(Phrase(output, " is a folder"), expected="a file", found="a folder")
    if not os.access(folder, os.W_OK):
        raise UsageError(Phrase("the folder ", folder, " cannot be written to"))


def _proof(session: Session, address: int | None, kept: Path, progress: Progress, name: str) -> Proof:
    """Observe; what the block held is in a file until it is put back."""
    from imgtool.cli.input.files import write_file
    from imgtool.operations.proof.observations import prove_stub

    def save(block: Scratch) -> None:
        if not block.blank:
            write_file(kept, block.content)
            progress.note(Phrase(f"0x{block.address:06x} is saved in ", kept, ", and put back at the end"))

    try:
        with _kept_for_trouble(kept):
            proof = prove_stub(session, address, save, progress.listener(name))
    except LayoutError as error:
        if address is not None:
            raise
        raise UsageError(
            error.message, expected="--scratch ADDR: 64 KB that may be written for a while", found="none"
        ) from None
    if proof.restored:
        kept.unlink(missing_ok=True)
    elif kept.exists():
        progress.note(Phrase(kept, f" holds what was at 0x{proof.scratch:06x}"))
    return proof


@contextmanager
def _kept_for_trouble(kept: Path) -> Iterator[None]:
    """Let the file be, after an error, only if the block was not put back; that is a VerifyError then."""
    try:
        yield
    except VerifyError as error:
        if kept.exists():
            error.add_note(Phrase(kept, " holds what was there"))
        raise
    except ImgtoolError:
        kept.unlink(missing_ok=True)
        raise
    except KeyboardInterrupt:
        kept.unlink(missing_ok=True)
        raise InterruptedRunError("interrupted: the flash holds what it did") from None


def _show(proof: Proof, path: Path, port: str) -> None:
    from imgtool.cli.show.text import Span, stdout
    from imgtool.engine.jobs.prove import on_silicon

    screen = stdout()
    styles = {"yes": "green", "no": "bold red"}
    screen.table(
        [
            (each.name, Span(each.verdict, styles.get(each.verdict, "yellow")), each.seen)
            for each in proof.observations
        ],
        head=("observation", "holds", "seen"),
    )
    wrong = [each for each in proof.observations if each.holds is False]
    missing = sum(each.holds is None for each in proof.observations)
    if wrong:
        screen.line()
    for each in wrong:
        screen.paragraph(f"{each.name}: it is assumed that {each.assumed}", lead=[Span("  no  ", "bold red")])
    screen.line()
    count = len(proof.observations)
    if proof.ok:
        screen.paragraph(f"all {count} assumptions hold", style="bold green")
    else:
        screen.paragraph(
            f"of {count} assumptions: {len(wrong)} wrong, {missing} not observed", style="bold red"
        )
    silicon = on_silicon(port)
    words = {
        True: "please send it to the maintainers: docs/stub.md",
        False: "no evidence: the chip is a virtual one",
        None: "evidence only if a real chip is behind that port: docs/stub.md",
    }
    screen.paragraph(Phrase(path, f" has it all; {words[silicon]}"))
