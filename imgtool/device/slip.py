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
        noise: Bytes dropped so far, those of broken frames included; as they came, escapes and all.
    """

    def __init__(self, limit: int = 1 << 20) -> None:
        self._limit = limit
        self._frame: bytearray | None = None
        self._escaped = False
        self._size = 0  # of what stands behind the last delimiter, as it came
        self.noise = 0

    @property
    def inside(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._frame) or self._escaped

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that end in these bytes; empty frames are passed over.

        A bad escape or a frame over the limit drops the frame, and the next 0xC0 begins a new one.  As frames
        may share a delimiter, noise between two frames comes out as a frame of its own.
        """
        frames: list[bytes] = []
        for byte in data:
            frame = self._frame
            if byte == END:
                # Two frames may share a delimiter, so every 0xC0 also begins a frame.
                if self._escaped:
                    self.noise += self._size
                elif frame:
                    frames.append(bytes(frame))
                self._frame, self._escaped, self._size = bytearray(), False, 0
                continue
            if frame is None:
                self.noise += 1
                continue
            self._size += 1
            if self._escaped:
                self._escaped = False
                self._take(frame, _STANDS_FOR.get(byte))
            elif byte == _ESCAPE:
                self._escaped = True
            else:
                self._take(frame, byte)
        return frames

    def _take(self, frame: bytearray, byte: int | None) -> None:
        if byte is None or len(frame) >= self._limit:
            self.noise += self._size
            self._frame = None
        else:
            frame.append(byte)
