"""A flash that is read as a board's is: it counts, and says what it costs."""

from __future__ import annotations


class SlowReader:
    """A flash that counts what is read of it.

    Args:
        flash: Its content.
        quick: Whether it has a stub, which reads fast and makes digests.
    """

    def __init__(self, flash: bytes, *, quick: bool = True) -> None:
        self.flash = flash
        self.quick = quick
        self.reads: list[tuple[int, int]] = []
        self.digests: list[tuple[int, int]] = []

    def __call__(self, address: int, size: int, /) -> bytes:
        """The bytes from an address on."""
        self.reads.append((address, size))
        return self.flash[address : address + size]

    def blank(self, start: int, size: int, /) -> bool | None:
        """Whether a stretch is erased; None without a stub."""
        self.digests.append((start, size))
        return not self.flash[start : start + size].strip(b"\xff") if self.quick else None

    @property
    def count(self) -> int:
        """Bytes that were read."""
        return sum(size for _, size in self.reads)
