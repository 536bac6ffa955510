"""The checks that whoever knows better can waive, and what may be lost, by name: the only tables of them.

Names and words alone, so that it costs nothing to have them; the checks are in checks.py.
"""

from __future__ import annotations

from typing import Final

__all__ = ["CHECKS", "LOSE_ALL", "LOSSES", "PROTECTION"]

CHECKS: Final = {
    "chip": "an image for another chip, or no image at all",
    "damaged": "an image that is cut, or has a wrong checksum",
    "fit": "an image that does not fit beside what the firmware keeps, or states more flash than there is",
    "mode": "an image with the wrong flash mode for an ESP8285, which cannot be changed",
    "place": "an image at an address where it does not belong",
    "sector": "bytes of a sector that would be lost, as the flash cannot be read",
    "size": "an image header with the wrong size, which cannot be changed",
}
"""The checks that can be waived, by name, and what each refuses."""

PROTECTION: Final = "protection"
"""The check of the device itself: a write protection of its flash, which is removed where it is waived."""

LOSE_ALL: Final = "all"
LOSSES: Final = ("files", "lfs", "settings", "firmware", "unknown", LOSE_ALL)
"""What a user can give up, by kind of loss, and all of it."""
