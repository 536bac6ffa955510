"""The exchange with the chip: a request goes out, the answer to it comes back, noise is passed over.

Not what the requests mean (imgtool.device.protocol), and not the port (imgtool.device.wire).  All waiting
goes by the clock of the wire, which a virtual chip supplies itself.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from imgtool.device import protocol, slip
from imgtool.device.wire import READ_TIMEOUT, losses
from imgtool.errors import LineError, RefusedError, SyncError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.device.protocol import Reply, Request
    from imgtool.device.wire import Wire

__all__ = ["SYNC_ATTEMPTS", "Link"]

_LONGEST: Final = 0x8000
_SHORTEST_REPLY: Final = 12  # header, status and two delimiters
SYNC_ATTEMPTS: Final = 5
"""How often a chip is asked by a SYNC."""
_SYNC_PAUSE: Final = 0.05
_SYNC_TIMEOUT: Final = 0.1
_STRAY: Final = 100  # frames that answer something else, before the answer must come
_QUIET: Final = 0.05
_NOT_UNDERSTOOD: Final = 0.5  # that it was is still to be hoped for so long
_MOST_NOISE: Final = 1 << 16
_MOST_HEARD: Final = 4096
_BITS_OF_BYTE: Final = 10


class Link:
    """Requests and answers over an open port.

    Args:
        wire: The port.

    Attributes:
        wire: The port.
        baud: The speed of the line, as far as the host's side goes.
        takes_more: Whether the chip keeps what comes while it works, as imgtool's own stub alone does.
    """

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._clock = wire.clock
        self._decoder = slip.Decoder(_LONGEST)
        self._frames: list[bytes] = []
        self.baud = 115_200
        self.takes_more = False

    def set_baud(self, baud: int) -> None:
        """Change the host's side of the line.

        Raises:
            LineError: The port does not take that speed.
            PortError: The port is lost.
        """
        if self.wire.traits.baud:
            try:
                with losses(self.wire):
                    self.wire.set_baud(baud)
            except ValueError:
                raise LineError("the port does not take this speed", found=f"{baud} baud") from None
        self.baud = baud

    def send(self, payload: bytes) -> None:
        """Send a frame."""
        with losses(self.wire):
            self.wire.write(slip.encode(payload))

    def drain(self) -> None:
        """Wait until what was sent has left the host."""
        with losses(self.wire):
            self.wire.drain()

    def forget(self) -> None:
        """Drop what has come and was not read."""
        self._decoder = slip.Decoder(_LONGEST)
        self._frames.clear()
        with losses(self.wire):
            self.wire.discard()

    def receive(self, timeout: float, expected: int = _SHORTEST_REPLY) -> bytes:
        """The next frame.

        Args:
            timeout: Seconds.
            expected: Bytes that it has on the line at least, to read them at once.

        Raises:
            LineError: None came.
            PortError: The port is lost.
        """
        deadline = self._clock.monotonic() + timeout + self._line_time(expected)
        read = 0
        over = False
        while not self._frames:
            if over or read > _MOST_NOISE + expected:
                raise LineError("the chip does not answer", expected="an answer", found=_amount(read))
            # A busy machine may have stopped this process until now: what came meanwhile is read first.
            over = self._clock.monotonic() >= deadline
            # The port waits for all of what it is asked for, so no more than what must still come.
            data = self._read(max(1, expected - read))
            read += len(data)
            self._frames += self._decoder.feed(data)
        return self._frames.pop(0)

    def _line_time(self, size: int) -> float:
        """Seconds that so many bytes take on the line, with room for what SLIP adds."""
        return 2 * size * _BITS_OF_BYTE / self.baud

    def _read(self, size: int) -> bytes:
        with losses(self.wire):
            return self.wire.read(size, READ_TIMEOUT)

    def hear(self, seconds: float) -> bytes:
        """What has come, frames or not; where that is nothing, the first byte within a time."""
        with losses(self.wire):
            return self.wire.read(_MOST_HEARD, 0) or (self.wire.read(1, seconds) if seconds > 0 else b"")

    def request(self, request: Request) -> Reply:
        """Send a request and wait for its answer.

        Raises:
            LineError: No answer came.
            RefusedError: The chip refuses.
            PortError: The port is lost.
        """
        for attempt in range(request.attempts):
            if attempt:
                self.settle()
            self.send(request.build())
            try:
                reply = self._answer(request)
            except LineError:
                if attempt + 1 == request.attempts:
                    raise
                continue
            if reply.ok:
                return reply
            # What a disturbed line made of the request is asked for again; what the chip means, it repeats.
            if attempt + 1 == request.attempts:
                name = request.command.name
                reason = protocol.reason_of(reply)
                message = f"the chip refuses {name}: {reason}"
                # Only imgtool's own stub says where.
                place = reply.value if request.command >= protocol.Command.INFO else None
                if protocol.is_disturbed(reply):
                    raise LineError(message, offset=place, found=reply.status.hex())
                raise RefusedError(message, offset=place, status=reply.status)
        raise AssertionError("a request has one attempt at least")

    def request_all(self, requests: Sequence[Request]) -> list[Reply]:
        """Send requests, without a wait where that may be; where an answer is not good, each by itself.

        Raises:
            LineError: An answer did not come.
            RefusedError: The chip refuses.
            PortError: The port is lost.
        """
        if self.takes_more:
            for request in requests:
                self.send(request.build())
            with suppress(LineError):
                replies = [self._answer(request) for request in requests]
                if all(reply.ok for reply in replies):
                    return replies
            self.settle()
        return [self.request(request) for request in requests]

    def exchange(self, request: Request) -> Reply:
        """Send a request once; its answer, whatever it says.

        Raises:
            LineError: No answer came.
            PortError: The port is lost.
        """
        self.send(request.build())
        return self._answer(request)

    def reply_to(self, request: Request) -> Reply:
        """The answer to a request that is under way.

        Raises:
            LineError: It does not come.
            PortError: The port is lost.
        """
        return self._answer(request)

    def _answer(self, request: Request) -> Reply:
        deadline = self._clock.monotonic() + request.timeout + self._line_time(len(request.data))
        for _ in range(_STRAY):
            left = deadline - self._clock.monotonic()
            reply = protocol.parse_reply(self.receive(max(left, 0.001), _SHORTEST_REPLY + request.answer))
            if reply is None:
                continue
            if reply.command != request.command:
                if protocol.is_misunderstood(reply):
                    # To a ROM it was another request, or noise came before it: then the answer is near.
                    deadline = min(deadline, self._clock.monotonic() + _NOT_UNDERSTOOD)
                continue
            if reply.ok and len(reply.data) != request.answer:
                continue
            return reply
        raise LineError("the chip answers something else all the time")

    def settle(self) -> None:
        """Let a late answer come in, or eight of them, and drop it."""
        self._clock.sleep(max(_QUIET, self._line_time(protocol.SYNC_REPLIES * _SHORTEST_REPLY)))
        self.forget()

    def sync(self, attempts: int = SYNC_ATTEMPTS, timeout: float = _SYNC_TIMEOUT) -> bool:
        """Make the ROM find the speed of the line; whether it is a ROM that answers, and not a stub.

        Args:
            attempts: How often to ask.
            timeout: Seconds to wait for each answer.

        Raises:
            LineError: Nothing answers.
        """
        request = protocol.sync(timeout)
        for _ in range(attempts):
            self.forget()
            self.send(request.build())
            try:
                reply = self._answer(request)
            except LineError:
                self._clock.sleep(_SYNC_PAUSE)
                continue
            if not reply.ok:
                # The line has made another request of it; a ROM may say so eight times.
                self.settle()
                continue
            # The same answer comes eight times; a ROM repeats what it was sent in its value, a stub says 0.
            values = {reply.value}
            for _ in range(protocol.SYNC_REPLIES - 1):
                try:
                    values.add(self._answer(request).value)
                except LineError:
                    break
            return values != {0}
        raise SyncError("the chip does not answer", expected="an answer to SYNC")

    def read_register(self, address: int) -> int:
        """A 32-bit register."""
        return self.request(protocol.read_register(address)).value

    def read_registers(self, addresses: Sequence[int], ahead: int) -> list[int]:
        """32-bit registers, of which some are asked for before the first has come.

        An answer does not say which register it is of: one that is lost shifts all behind it, and the last is
        missing.  Then, or where one is not good, all are asked for again, each by itself.

        Args:
            addresses: Of the registers.
            ahead: How many requests may be under way.

        Raises:
            LineError: An answer does not come.
            RefusedError: The chip refuses.
            PortError: The port is lost.
        """
        requests = [protocol.read_register(address) for address in addresses]
        replies: list[Reply] = []
        with suppress(LineError):
            for number, request in enumerate(requests):
                if number >= ahead:
                    replies.append(self._answer(request))
                self.send(request.build())
            replies += [self._answer(request) for request in requests[len(replies) :]]
            if all(reply.ok for reply in replies):
                return [reply.value for reply in replies]
        self.settle()
        return [self.request(request).value for request in requests]


def _amount(count: int) -> str:
    return "silence" if count == 0 else f"{count:,} bytes without meaning"
