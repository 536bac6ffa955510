"""What only a chip can tell about imgtool's own stub: observed, as JSON, and whether it is evidence.

Not the observing (imgtool.operations.proof), and no file is written: who asks keeps what is to be put back.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from imgtool import __version__
from imgtool.device.events import Event, ignore
from imgtool.device.flash_chip import BLOCK
from imgtool.engine.chips import chip_fields
from imgtool.engine.connecting import connected
from imgtool.engine.documents import document, text_of
from imgtool.engine.results import Output, Table, Tone, Toned, Words
from imgtool.engine.stopping import stoppable
from imgtool.engine.verdicts import DONE, NO
from imgtool.errors import ImgtoolError, LayoutError, UsageError, VerifyError
from imgtool.formats.reading import Finding, Severity
from imgtool.operations.proof import observations
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from imgtool.device.events import Listener
    from imgtool.device.session import ConnectOptions, Session
    from imgtool.device.wire import Wire
    from imgtool.engine.documents import Document
    from imgtool.operations.proof.assumptions import Observation, Proof
    from imgtool.operations.proof.scratch import Scratch

__all__ = ["ProveRequest", "ProveResult", "on_silicon", "prove", "whole_block"]

_NO_DEVICE: Final = re.compile(r"[a-z0-9+]+://|/dev/(pts/|ttys\d)", re.IGNORECASE)
"""Ports in the network, and pseudo-terminals: behind them a virtual chip may be."""

_TONES: Final = {True: Tone.GOOD, False: Tone.WRONG, None: Tone.CARE}
_WORTH: Final = {
    True: "please send it to the maintainers: docs/stub.md",
    False: "no evidence: the chip is a virtual one",
    None: "evidence only if a real chip is behind that port: docs/stub.md",
}


def _drop_nothing(_: str) -> None:
    """Nothing was kept anywhere that has to be cleared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProveRequest:
    """What is to be observed, and where what was seen goes.

    Attributes:
        moment: When it is done: in the document, and in names that are made.
        keep: Keeps what the block holds that will be written, before that happens; a blank one is not kept.
            What it raises ends the job with the flash as it was.
        drop: Told the name of what was kept, once the flash holds it again.
        output: Name of the file that is made; None for one with the chip's MAC and the moment in it.
        scratch: Address of the block of 64 KB that is written for a while; None for one that is blank.
        board: Which board it is, in the words of who asks.
        connect: How to connect; None for the usual way.  The stub is imgtool's own in any case.

    Raises:
        UsageError: No block begins at that address.
    """

    moment: datetime
    keep: Callable[[Output], None]
    drop: Callable[[str], None] = _drop_nothing
    output: str | None = None
    scratch: int | None = None
    board: str | None = None
    connect: ConnectOptions | None = None

    def __post_init__(self) -> None:
        if self.scratch is not None:
            whole_block(self.scratch)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProveResult:
    """What was seen.

    Attributes:
        proof: Each observation, and what was done for it.
        silicon: Whether a chip is behind the port; None where its name does not tell.
        document: What ``imgtool prove --json`` prints.
        words: What a person is told.
        outputs: The file that holds the document.
    """

    proof: Proof
    silicon: bool | None
    document: Document = field(repr=False)
    words: Words = field(repr=False)
    outputs: tuple[Output, ...] = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether everything was observed and holds."""
        return self.proof.ok

    @property
    def code(self) -> int:
        """The exit code of ``prove``."""
        return DONE if self.ok else NO


def on_silicon(port: str) -> bool | None:
    """Whether a chip is behind a port; None where its name does not tell."""
    if port.startswith("sim:"):
        return False
    return None if _NO_DEVICE.match(port) else True


def whole_block(address: int, word: str | None = None) -> int:
    """The address of a block that can be written and put back.

    Args:
        address: Where it begins.
        word: How that was spelled, for the message.

    Raises:
        UsageError: No block begins there.
    """
    if address % BLOCK or address < 0:
        low = address // BLOCK * BLOCK
        raise UsageError(
            f"only a whole block of 0x{BLOCK:x} bytes can be written and put back",
            expected=f"0x{low:x} or 0x{low + BLOCK:x}",
            found=word or f"0x{address:x}",
        )
    return address


def prove(wire: Wire, request: ProveRequest, on_event: Listener = ignore) -> ProveResult:
    """Try imgtool's own flasher stub on a chip, and say what was seen.

    Args:
        wire: An open port, which stays open.
        request: What is to be observed.
        on_event: Told what happens; what it raises stops the job, once the block is put back.

    Raises:
        UsageError: No block is named, and none is blank.
        LayoutError: The block lies beyond the end of the flash, which is not known perhaps.
        ChipError: The chip is silent.
        PortError: The port is lost.
        VerifyError: After an error or an interruption the block could not be put back.
        InterruptedRunError: It was stopped; the flash holds what it did.
    """
    with (
        stoppable("the flash holds what it did") as left,
        connected(wire, request.connect, on_event) as session,
    ):
        stem = f"{session.chip.mac_bytes.hex()}-{request.moment:%Y%m%d-%H%M%S}"
        path = PurePath(f"imgtool-stub-{stem}.json" if request.output is None else request.output)
        safe = _Safe(request, str(path.parent / f"imgtool-scratch-{stem}.bin"), on_event)
        clock = session.wire.clock
        start = clock.monotonic()
        proof = _observe(session, request.scratch, safe, on_event)
        if proof.scratch is not None and not proof.restored:
            left.words = f"what was at 0x{proof.scratch:06x} could not be put back"
            safe.tell(proof.scratch)
        seconds = clock.monotonic() - start
        silicon = on_silicon(session.wire.name)
        found = _document(proof, session, request, seconds)
        return ProveResult(
            proof=proof,
            silicon=silicon,
            document=found,
            words=_words(proof, str(path), silicon),
            outputs=(Output(str(path), (text_of(found) + "\n").encode()),),
        )


class _Safe:
    """What the block held, kept by who asked until it is in the flash again.

    Args:
        request: Has who keeps it.
        name: What it is kept as.
        on_event: Told where it is.
    """

    def __init__(self, request: ProveRequest, name: str, on_event: Listener) -> None:
        self._request = request
        self._name = Name(name)
        self._on_event = on_event
        self._full = False

    def put(self, block: Scratch) -> None:
        """Have it kept, if it is anything."""
        if block.blank:
            return
        self._full = True
        self._request.keep(Output(self._name, block.content))
        words = Phrase(f"0x{block.address:06x} is saved in ", self._name, ", and put back at the end")
        self._on_event(Event("note", message=words))

    def clear(self) -> None:
        """Nobody needs it any more."""
        if self._full:
            self._request.drop(self._name)
            self._full = False

    def tell(self, address: int) -> None:
        """Say that it is not in the flash."""
        if self._full:
            words = Phrase(self._name, f" holds what was at 0x{address:06x}")
            self._on_event(Event("note", message=words))

    @contextmanager
    def kept_for_trouble(self) -> Iterator[None]:
        """Keep it, after an error, only if the block was not put back; that is a VerifyError then."""
        try:
            yield
        except VerifyError as error:
            if self._full:
                error.add_note(Phrase(self._name, " holds what was there"))
            raise
        except (ImgtoolError, KeyboardInterrupt):
            self.clear()
            raise


def _observe(session: Session, scratch: int | None, safe: _Safe, on_event: Listener) -> Proof:
    """Observe; what the block held is kept until it is put back."""
    try:
        with safe.kept_for_trouble():
            proof = observations.prove_stub(session, scratch, safe.put, on_event)
    except LayoutError as error:
        if scratch is not None:
            raise
        raise UsageError(
            error.message, expected="--scratch ADDR: 64 KB that may be written for a while"
        ) from None
    if proof.restored:
        safe.clear()
    return proof


def _document(proof: Proof, session: Session, request: ProveRequest, seconds: float) -> Document:
    adapter = session.wire.traits.adapter
    fields = {
        **chip_fields(session),
        "silicon": on_silicon(session.wire.name),
        "board": request.board,
        "adapter": None if adapter is None else adapter.name,
        "date": request.moment.isoformat(timespec="seconds"),
        "imgtool": __version__,
        "stub": "imgtool",
        "stub_sha256": proof.stub_sha256,
        "stub_bytes": proof.stub_bytes,
        "baud": proof.baud,
        "scratch": proof.scratch,
        "restored": proof.restored,
        "observations": [_observation_fields(each) for each in proof.observations],
        "seconds": round(seconds, 3),
    }
    return document("prove", ok=proof.ok, results=[fields])


def _observation_fields(observation: Observation) -> dict[str, Any]:
    seconds = observation.seconds
    return {
        "name": observation.name,
        "assumed": observation.assumed,
        "seen": observation.seen,
        "holds": observation.verdict,
        "seconds": None if seconds is None else round(seconds, 6),
        "times": [round(each, 6) for each in observation.times],
    }


def _words(proof: Proof, path: str, silicon: bool | None) -> Words:
    count = len(proof.observations)
    wrong = [each for each in proof.observations if each.holds is False]
    missing = sum(each.holds is None for each in proof.observations)
    verdict = f"of {count} assumptions: {len(wrong)} wrong, {missing} not observed"
    return Words(
        verdict=f"all {count} assumptions hold" if proof.ok else verdict,
        tone=Tone.GOOD if proof.ok else Tone.WRONG,
        tables=(
            Table(
                rows=tuple(
                    (each.name, Toned(each.verdict, _TONES[each.holds]), each.seen)
                    for each in proof.observations
                ),
                head=("observation", "holds", "seen"),
            ),
        ),
        findings=tuple(
            Finding(Severity.ERROR, each.name, f"{each.name}: it is assumed that {each.assumed}")
            for each in wrong
        ),
        notes=(Phrase(Name(path), f" has it all; {_WORTH[silicon]}"),),
    )
