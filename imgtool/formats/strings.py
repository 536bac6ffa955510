"""The strings in a file, with a quick answer to whether some text is among them.

Not what the strings mean: that is for firmware.py and firmware_names.py.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final

__all__ = ["Strings"]

_TEXT: Final = range(0x20, 0x7F)  # the printable bytes of ASCII
_NO_TEXT: Final = bytes(code for code in range(256) if code not in _TEXT)


class Strings:
    """The bytes of a file, to be searched for many texts.

    Most files have few of them, so most answers are no.  Without the bytes that are no text a file is a third
    as long, and a flash dump a twentieth: a text that is not in what is left is not in the file.

    Attributes:
        data: The bytes.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data

    @cached_property
    def _text(self) -> bytes:
        return self.data.translate(None, _NO_TEXT)

    def have(self, text: bytes) -> bool:
        """Whether a text of printable ASCII is in the file."""
        return text in self._text and text in self.data

    def have_any(self, *texts: bytes) -> bool:
        """Whether one of some texts of printable ASCII is in the file."""
        return any(map(self.have, texts))
