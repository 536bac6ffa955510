"""A port of one's own: what has pyserial's interface, such as a test rig's channel, as imgtool uses ports.

Here the object is imgtool's own virtual chip.  Run: python own_port.py nodemcu.bin
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

from imgtool import (
    ConnectOptions,
    FlashRequest,
    IdRequest,
    InputFile,
    Lines,
    SimPort,
    Wire,
    WireTraits,
    flash,
    identify,
    open_port,
)


class Channel(Wire):
    """A port around a channel; an ``OSError`` of it, as pyserial raises, is a lost port.

    Args:
        name: What it is called.
        channel: What has pyserial's interface.
    """

    def __init__(self, name: str, channel: SimPort) -> None:
        self.name = name
        self.channel = channel
        self.clock = channel.clock  # time on this channel is virtual; without this line it is the wall's
        self.traits = WireTraits(lines=Lines.APART, highest_baud=921_600)

    def read(self, size: int, timeout: float) -> bytes:
        """Up to ``size`` bytes, fewer when the time is over."""
        self.channel.timeout = timeout
        return self.channel.read(size)

    def write(self, data: bytes) -> None:
        """Send them all."""
        self.channel.write(data)

    def set_baud(self, baud: int) -> None:
        """Change the speed."""
        self.channel.baudrate = baud

    def set_lines(self, dtr: bool, rts: bool) -> None:
        """Set both; RTS alone is a reset, so DTR is asserted first and released last."""
        if dtr:
            self.channel.dtr = dtr
            self.channel.rts = rts
        else:
            self.channel.rts = rts
            self.channel.dtr = dtr

    def close(self) -> None:
        """Close the channel."""
        self.channel.close()

    def drain(self) -> None:
        """Wait until all has left."""
        self.channel.flush()


def main(image: str) -> int:
    """Say what is at the port, then write to it."""
    options = ConnectOptions(baud=460_800)
    with closing(Channel("channel 3", open_port("sim:1MB"))) as wire:
        found = identify(wire, IdRequest(connect=options))
        print(found.words.verdict)
        file = InputFile(image, Path(image).read_bytes())
        done = flash(wire, FlashRequest(files=(file,), connect=options))
        print(done.words.verdict)
    return done.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
