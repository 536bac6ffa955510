"""Where construct's layouts meet bytes, and the one place where its errors become ours.

Not a layout: those stand at the top of each format's file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from construct import ConstructError

from imgtool.errors import FormatError

if TYPE_CHECKING:
    from construct import Construct

__all__ = ["parse_at"]


def parse_at(layout: Construct[Any, Any], data: bytes, offset: int, what: str) -> Any:  # noqa: ANN401 - a Container
    """Parse one fixed-size layout at an offset.

    Args:
        layout: A construct of fixed size.
        data: The whole input.
        offset: Where the layout begins.
        what: Its name in words, for the error.

    Raises:
        FormatError: Fewer bytes than the layout needs, or a constant that does not match; carries the offset.
    """
    size = layout.sizeof()
    if len(data) < offset + size:
        raise FormatError(
            f"{what} is cut short",
            offset=offset,
            expected=f"{size} bytes",
            found=f"{max(0, len(data) - offset)} bytes",
        )
    try:
        return layout.parse(data[offset : offset + size])
    except ConstructError as error:
        # The first line of a construct error is its path inside the layout; the reason stands behind it.
        reason = str(error).splitlines()[-1].strip()
        raise FormatError(f"{what}: {reason}", offset=offset) from error
