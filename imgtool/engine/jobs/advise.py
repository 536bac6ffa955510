"""What an upgrade will do, as words and as JSON.

Not the advice itself (imgtool.operations.advise).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgtool.engine.descriptions import firmware_words
from imgtool.engine.documents import cure_fields, firmware_fields
from imgtool.phrase import Name, Phrase
from imgtool.quantities import capacity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.operations.upgrade.values import AdvicePoint, FirmwareAdvice

__all__ = ["advice_fields", "advice_rows"]


def advice_fields(old: str, new: Sequence[str], result: FirmwareAdvice) -> dict[str, Any]:
    """The result of ``advise``: what the words for OLD and NEW stand for, and what comes of them."""
    return {
        "old": {"path": old, "kind": result.old_kind, "firmware": firmware_fields(result.old)},
        "new": {"paths": list(new), "kind": result.new_kind, "firmware": firmware_fields(result.new)},
        "flash": {"bytes": result.flash_bytes, "size": result.flash_size},
        "sentence": result.sentence,
        "points": [_point(point) for point in result.points],
        "elsewhere": {"sentence": result.elsewhere, "points": [_point(point) for point in result.other]},
        "cures": [cure_fields(cure) for cure in result.cures],
        "notes": list(result.notes),
    }


def _point(point: AdvicePoint) -> dict[str, Any]:
    return {
        "topic": str(point.topic),
        "verdict": str(point.verdict),
        "ok": point.ok,
        "reason": point.reason,
        "source": point.source or None,
    }


def advice_rows(old: str, result: FirmwareAdvice) -> list[tuple[str, str]]:
    """Old firmware, new firmware and flash, a row each."""
    header = f", header {result.flash_size}" if result.flash_size else ""
    what = "board at" if result.old_kind == "device" else result.old_kind
    known = firmware_words(result.old) or "no firmware that imgtool knows"
    return [
        ("old", Phrase(f"{known} ({what} ", Name(old), ")")),
        ("new", firmware_words(result.new) or result.new_kind),
        ("flash", f"{capacity(result.flash_bytes)}{header}"),
    ]
