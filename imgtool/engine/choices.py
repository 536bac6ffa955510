"""What a request may say, by name, for whoever lists it: stubs, regions to erase, checks to waive.

Names alone, so that a page of help costs no more than they do; what they mean is decided by the jobs.
"""

from __future__ import annotations

from typing import Final

from imgtool.operations.flashing.waivers import CHECKS, LOSSES, PROTECTION

__all__ = ["ERASE_ALL", "ERASE_CHOICES", "ERASE_REGIONS", "LOSE_CHOICES", "SDK_REGIONS", "STUBS", "WAIVERS"]

STUBS: Final = ("auto", "imgtool", "espressif", "none")
"""Flasher stubs; the first takes the one that is there."""

WAIVERS: Final = (*CHECKS, PROTECTION)
"""Checks of ``flash`` that whoever knows better can waive."""

LOSE_CHOICES: Final = LOSSES
"""Kinds of what can be lost, and all of them."""

ERASE_ALL: Final = "all"
SDK_REGIONS: Final = ("rf-cal", "init-data", "system-param")
"""The sectors of the SDK by name."""

ERASE_REGIONS: Final = (*SDK_REGIONS, "filesystem", "lfs")
"""Regions with a name, which the flash itself tells the places of."""

ERASE_CHOICES: Final = f"{ERASE_ALL}, ADDR SIZE, {', '.join(ERASE_REGIONS[:-1])} or {ERASE_REGIONS[-1]}"
