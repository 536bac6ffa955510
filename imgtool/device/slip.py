"""SLIP framing as the ESP8266's serial loader uses it: bytes in, frames out, no I/O.

Not the packets inside the frames.  A frame stands between two 0xC0; inside it 0xC0 is sent as DB DC and 0xDB
as DB DD (RFC 1055, https://www.rfc-editor.org/rfc/rfc1055).
"""

from __future__ import annotations

from typing import Final

__all__ = ["END", "Decoder", "encode"]

END: Final = 0xC0
_ESCAPE: Final = 0xDB
_STANDS_FOR: Final = {0xDC: END, 0xDD: _ESCAPE}


def encode(payload: bytes) -> bytes:
    """The frame that carries a payload."""
    escaped = payload.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
    return b"\xc0" + escaped + b"\xc0"


class Decoder:
    """Takes a stream apart into frames; bytes outside frames are noise and dropped.

    Args:
        limit: Longest payload that is kept, bytes; a longer frame is dropped as a whole.

    Attributes:
        noise: Bytes dropped so far, those of broken frames included.
    """

    def __init__(self, limit: int = 1 << 20) -> None:
        self._limit = limit
        self._frame: bytearray | None = None
        self._escaped = False
        self.noise = 0

    @property
    def inside(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._frame)

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that end in these bytes; empty frames are passed over.

        A bad escape or a frame over the limit drops the frame, and the next 0xC0 begins a new one.
        """
        frames: list[bytes] = []
        for byte in data:
            frame = self._frame
            if byte == END:
                # Two frames may share a delimiter, so every 0xC0 also begins a frame.
                if frame and not self._escaped:
                    frames.append(bytes(frame))
                elif frame:
                    self.noise += len(frame) + 1
                self._frame, self._escaped = bytearray(), False
            elif frame is None:
                self.noise += 1
            elif self._escaped:
                self._escaped = False
                self._take(frame, _STANDS_FOR.get(byte))
            elif byte == _ESCAPE:
                self._escaped = True
            else:
                self._take(frame, byte)
        return frames

    def _take(self, frame: bytearray, byte: int | None) -> None:
        if byte is None or len(frame) >= self._limit:
            self.noise += len(frame) + 1
            self._frame = None
        else:
            frame.append(byte)
