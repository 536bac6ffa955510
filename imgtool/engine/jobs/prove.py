"""What was seen of imgtool's own stub on a chip, as JSON, and whether it is evidence.

Not the observing (imgtool.operations.proof).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from imgtool import __version__
from imgtool.engine.chips import chip_fields
from imgtool.engine.documents import Document, document

if TYPE_CHECKING:
    from datetime import datetime

    from imgtool.device.session import Session
    from imgtool.operations.proof.assumptions import Observation, Proof

__all__ = ["on_silicon", "proof_document"]

_NO_DEVICE: Final = re.compile(r"[a-z0-9+]+://|/dev/(pts/|ttys\d)", re.IGNORECASE)
"""Ports in the network, and pseudo-terminals: behind them a virtual chip may be."""


def on_silicon(port: str) -> bool | None:
    """Whether a chip is behind a port; None where its name does not tell."""
    if port.startswith("sim:"):
        return False
    return None if _NO_DEVICE.match(port) else True


def proof_document(
    proof: Proof, session: Session, *, board: str | None, moment: datetime, seconds: float
) -> Document:
    """The document of ``prove``."""
    adapter = session.wire.traits.adapter
    fields = {
        **chip_fields(session),
        "silicon": on_silicon(session.wire.name),
        "board": board,
        "adapter": None if adapter is None else adapter.name,
        "date": moment.isoformat(timespec="seconds"),
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
