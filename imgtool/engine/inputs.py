"""Files that a job is given: their names and bytes, and where they go.

No file is opened here; who calls has read them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["InputFile"]


class InputFile(NamedTuple):
    """A file that a job is given; a tuple, as every start of ``inspect`` makes the class.

    Attributes:
        name: What to call it: its path, as it is told in documents and messages.
        data: Its bytes.
        place: Where it goes: a flash address, a named place such as ``@lfs``; None by its name, else 0.
        beside: Of a manifest that ``extract`` has made: the files that it names, by these names.
    """

    name: str
    data: bytes
    place: int | str | None = None
    beside: Mapping[str, bytes] | None = None

    def __repr__(self) -> str:
        """Without the bytes."""
        return f"InputFile(name={self.name!r}, place={self.place!r})"
