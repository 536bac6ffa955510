"""A merged image as a file: raw, or as records with addresses, which leave out the fill between."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imgtool.operations.merge import Merged

__all__ = ["encode"]


def encode(merged: Merged, form: str) -> bytes:
    """The bytes of the file.

    Args:
        merged: The image.
        form: ``bin``, ``hex``, ``srec`` or ``uf2``.
    """
    if form == "bin":
        return merged.data
    raise KeyError(form)
