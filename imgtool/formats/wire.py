"""Where construct's layouts meet bytes, both ways, and the one place where its errors become ours.

Not a layout: those stand at the top of each format's file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from construct import ConstructError

from imgtool.errors import FormatError

if TYPE_CHECKING:
    from construct import Construct

__all__ = ["built", "parse_at"]


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
        raise FormatError(f"{what}: {_reason(error)}", offset=offset) from error


def built(layout: Construct[Any, Any], value: Any, what: str) -> bytes:  # noqa: ANN401 - what the layout takes
    """The bytes of a value in a layout.

    Args:
        layout: A construct.
        value: What it takes: the fields by name for a Struct.
        what: Its name in words, for the error.

    Raises:
        FormatError: A field cannot hold what it is given.
    """
    try:
        return layout.build(value)
    except ConstructError as error:
        raise FormatError(f"{what}: {_reason(error)}") from error


def _reason(error: ConstructError) -> str:
    # The first line of a construct error is its path inside the layout; the reason stands behind it.
    return str(error).splitlines()[-1].strip()
