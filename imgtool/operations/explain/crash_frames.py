"""Where a crash happened: the code addresses of its dump, named where an ELF file names them.

Not an unwinder: the stack holds return addresses between other words, and some are left over from calls that
have long returned.  Words that can be addresses of code are listed in the order of the stack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.formats.logs.crash import is_code, place_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgtool.formats.elf.symbols import ElfSymbols
    from imgtool.formats.logs.crash import Crash

__all__ = ["Frame", "frames_of", "kept_frames", "mismatch_of"]

_CALL_SIZE: Final = 3
_MOST_FRAMES: Final = 400
_LEAST_JUDGED: Final = 4  # words of the stack, before a program is refused for them
_LEAST_INSIDE: Final = 0.5  # share of them in the program's code; a right one has all but leftovers
_LEAST_CALLS: Final = 0.2  # share of these behind a call; chance gives about 1 in 60


class Frame(NamedTuple):
    """An address of code in a crash dump.

    Attributes:
        source: Where it stood: ``epc1`` and other registers, ``backtrace``, ``stack`` or ``alloc``.
        address: The address.
        place: What is there: ``flash (irom)``, ``the boot ROM`` and so on.
        function: Its function, None where it is not known.
        offset: Bytes from its beginning.
        file: Source file, as the compiler was called with it.
        line: Line in it.
        called: Whether the instruction in front of it is a call, as for an address that a call returns to;
            None where no program tells.
    """

    source: str
    address: int
    place: str
    function: str | None = None
    offset: int | None = None
    file: str | None = None
    line: int | None = None
    called: bool | None = None


def frames_of(crash: Crash, symbols: Sequence[ElfSymbols] = ()) -> tuple[Frame, ...]:
    """The code addresses of a crash in the order of its dump.

    Args:
        crash: The crash.
        symbols: The programs on the chip; the first one that has code at an address names it.
    """
    found: list[Frame] = []
    for source, address in _addresses(crash):
        if len(found) >= _MOST_FRAMES:
            break
        found.append(_named(source, address, symbols))
    return tuple(found)


def kept_frames(frames: Sequence[Frame]) -> tuple[Frame, ...]:
    """The frames without what only looks like one.

    Leftovers of calls that have returned stand on a stack, too; where a program names functions they can be
    told, and are left out.
    """
    named = any(frame.function for frame in frames)
    return tuple(frame for frame in frames if not named or frame.source != "stack" or frame.called)


def mismatch_of(crash: Crash, symbols: Sequence[ElfSymbols]) -> str | None:
    """Why these programs cannot be the one that crashed, or None where nothing contradicts."""
    if not symbols:
        return None
    pc = crash.pc
    if pc is not None and _is_loaded(pc) and not any(program.holds(pc) for program in symbols):
        return f"it has no code at 0x{pc:08x}, where the crash happened"
    words = [word.value for word in crash.stack if _is_loaded(word.value)]
    if len(words) < _LEAST_JUDGED:
        return None
    holders = [(word, next((each for each in symbols if each.holds(word)), None)) for word in words]
    inside = [(word, program) for word, program in holders if program is not None]
    if len(inside) < _LEAST_INSIDE * len(words):
        return f"only {len(inside)} of {len(words)} code addresses on the stack lie in its code"
    calls = sum(program.is_behind_call(word) for word, program in inside)
    if calls < _LEAST_CALLS * len(inside):
        return f"only {calls} of {len(inside)} code addresses on the stack lie behind a call of it"
    return None


def _is_loaded(address: int) -> bool:
    return is_code(address) and place_of(address) != "the boot ROM"


def _addresses(crash: Crash) -> Iterator[tuple[str, int]]:
    for name in ("epc1", "pc", "epc2", "epc3", "a0"):
        value = crash.register(name)
        if value is not None and is_code(value):
            yield name, value
    for address in crash.backtrace:
        yield "backtrace", address
    if crash.allocation is not None:
        yield "alloc", crash.allocation.caller
    for word in crash.stack:
        if is_code(word.value):
            yield "stack", word.value


def _named(source: str, address: int, symbols: Sequence[ElfSymbols]) -> Frame:
    place = place_of(address)
    program = next((program for program in symbols if program.holds(address)), None)
    if program is None:
        return Frame(source, address, place)
    function = program.function_at(address)
    called = program.is_behind_call(address)
    # What a call returns to belongs to the line behind it; the call itself is what people look for.
    returns = called and source in ("stack", "a0", "alloc")
    line = program.line_at(address - _CALL_SIZE if returns else address)
    return Frame(
        source=source,
        address=address,
        place=place,
        function=None if function is None else function.name,
        offset=None if function is None else address - function.address,
        file=None if line is None else line.file,
        line=None if line is None else line.line,
        called=called,
    )
