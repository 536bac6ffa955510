"""The boot ROM's functions for strings, and its printing.

Not the UART that characters go to (imgtool.virtual.board.rom.serial), nor the printing of the SDK and of C
libraries, which firmware brings.  As in the real ones, strings at word boundaries are read by words, so that
such functions work on IRAM and on the window of the flash; byte loads from there raise an exception, which
firmware may handle.

The ROM's printf knows no precision, no octal, and 64 bits for ``%lld`` alone.  Its peculiarities are kept, as
logs of real boards have them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.virtual.board.rom.machine import Call, RomFunction, words_of

if TYPE_CHECKING:
    from imgtool.virtual.board.rom.machine import Machine, Steps

__all__ = ["DATA", "FUNCTIONS"]

_BYTES: Final = 4  # of a word
_ALIGNED: Final = _BYTES - 1
_HALF: Final = 2
_LEAST_COPIED: Final = 5  # bytes: at a word boundary, strncpy copies fewer as bytes


# Strings ----------------------------------------------------------------------------------------------------


def _characters(machine: Machine, at: int, *, by_words: bool) -> Iterator[int]:
    """The bytes from a place on, without end; those from the first word boundary on by words, or not."""
    while True:
        if by_words and not at & _ALIGNED:
            yield from _parts(machine.word(at))
            at += _BYTES
        else:
            yield machine.byte(at)
            at += 1


def _parts(word: int) -> bytes:
    return word.to_bytes(_BYTES, "little")


def _strlen(machine: Machine) -> int:
    start = at = machine.arg(0)
    if at & 1:
        if not machine.byte(at):
            return 0
        at += 1
    while True:
        left = _parts(machine.word(at & ~_ALIGNED))[at & _ALIGNED :]
        if 0 in left:
            return at - start + left.index(0)
        at += len(left)


def _strcmp(machine: Machine) -> int:
    one, other = machine.arg(0), machine.arg(1)
    if difference := machine.byte(one) - machine.byte(other):  # by bytes, wherever they are
        return difference
    read = partial(_characters, machine, by_words=not (one ^ other) & _ALIGNED)
    return next(a - b for a, b in zip(read(one), read(other), strict=True) if a != b or not a)


def _strncmp(machine: Machine) -> int:
    one, other, left = machine.arg(0), machine.arg(1), machine.arg(2)
    if not left:
        return 0
    if not (one | other) & _ALIGNED:
        while left >= _BYTES and machine.word(other) == (word := machine.word(one)):
            one, other, left = one + _BYTES, other + _BYTES, left - _BYTES
            if not left or 0 in _parts(word):
                return 0
    for offset in range(left):
        character = machine.byte(one + offset)
        theirs = machine.byte(other + offset)
        if character != theirs or not character:
            return character - theirs
    return 0


def _strcpy(machine: Machine) -> int:
    to, source = machine.arg(0), machine.arg(1)
    at, by_words = to, not (to ^ source) & _ALIGNED
    while True:
        if by_words and not source & _ALIGNED:
            word = machine.word(source)
            _copy_word(machine, at, word)
            if 0 in _parts(word):
                return to
            at, source = at + _BYTES, source + _BYTES
        else:
            character = machine.byte(source)
            machine.set_byte(at, character)
            if not character:
                return to
            at, source = at + 1, source + 1


def _strncpy(machine: Machine) -> int:
    to, source, left = machine.arg(0), machine.arg(1), machine.arg(2)
    at, by_words = to, not (to ^ source) & _ALIGNED
    while left:
        if by_words and not source & _ALIGNED and left >= _LEAST_COPIED:
            word = machine.word(source)
            copied = _copy_word(machine, at, word)
            ends = 0 in _parts(word)
        else:
            copied, character = 1, machine.byte(source)
            machine.set_byte(at, character)
            ends = not character
        at, source, left = at + copied, source + copied, left - copied
        if ends:
            _clear(machine, at, left)
            break
    return to


def _copy_word(machine: Machine, at: int, word: int) -> int:
    """Store a word up to its first zero and with that; how many bytes these are."""
    data = _parts(word)
    size = data.index(0) + 1 if 0 in data else _BYTES
    if size == _BYTES:
        machine.set_word(at, word)
        return size
    if size == 1:
        machine.set_byte(at, 0)
        return size
    machine.set_half(at, word)
    if size > _HALF:
        machine.set_byte(at + _HALF, 0)
    return size


def _clear(machine: Machine, at: int, size: int) -> None:
    """Store zeros, by words where there are whole ones."""
    end = at + size
    while at < end:
        if at & _ALIGNED or end - at < _BYTES:
            machine.set_byte(at, 0)
            at += 1
        else:
            machine.set_word(at, 0)
            at += _BYTES


def _strstr(machine: Machine) -> int:
    text = machine.arg(0)
    found = machine.text(text).find(machine.text(machine.arg(1)))
    return 0 if found < 0 else text + found


def _digit(character: int) -> int:
    """What a hexadecimal digit is worth; -1 for another character."""
    return b"0123456789abcdef".find(character | 0x20) if character in _HEX_DIGITS else -1


_HEX_DIGITS: Final = b"0123456789abcdefABCDEF"
_BLANKS: Final = b" \t"
_MAC_BYTES: Final = 6


def _char2xdigit(machine: Machine) -> int:
    character = machine.arg(0)
    return _digit(character) if character <= 0xFF else -1  # noqa: PLR2004 (a byte)


def _str2macaddr(machine: Machine) -> int:
    """Two digits a byte, with any character between: where the bytes are, or 0."""
    to, at = machine.arg(0), machine.arg(1)
    while machine.byte(at) in _BLANKS:
        at += 1
    for number in range(_MAC_BYTES):
        high = _digit(machine.byte(at))
        if high < 0 or (low := _digit(machine.byte(at + 1))) < 0:
            return 0
        machine.set_byte(to + number, high << 4 | low)
        at += 3
    return to


# Where characters go ----------------------------------------------------------------------------------------

_SEND: Final = 0x4000_3B30
"""``uart_tx_one_char``."""
_RECEIVE: Final = 0x4000_3B64
"""``uart_rx_one_char_block``."""

_WRITE_TO_UART: Final = 0x4000_1DCC
_WRITE_TO_BUFFER: Final = 0x4000_24A8

# The ROM's variables: functions that take a character, those around a printf into a buffer, and the buffer.
_PUTC1, _PUTC2, _BEFORE, _AFTER = 0x3FFF_DD48, 0x3FFF_DD4C, 0x3FFF_DD50, 0x3FFF_DD54
_ROOM, _BUFFER, _AFTER_ARGUMENT = 0x3FFF_DD58, 0x3FFF_DD5C, 0x3FFF_DD60

# Digits, and what stands for no text: a printf that firmware has of its own takes them from there.
_DECIMAL, _LOWER, _UPPER, _NO_TEXT = 0x3FFF_D83C, 0x3FFF_D848, 0x3FFF_D85C, 0x3FFF_D870

DATA: Final = {
    _PUTC1: _WRITE_TO_UART,
    **words_of(_DECIMAL, b"0123456789\0"),
    **words_of(_LOWER, b"0123456789abcdef\0"),
    **words_of(_UPPER, b"0123456789ABCDEF\0"),
    **words_of(_NO_TEXT, b"<null>\0"),
}
"""The words in DRAM that a start sets."""

_LF, _CR = b"\n\r"

_Put = Callable[["Machine", int], "Steps"]
"""A function that takes a character."""


def _write_char(machine: Machine, character: int) -> Steps:
    """Give it to the two functions that firmware has set."""
    result = character
    for variable in (_PUTC1, _PUTC2):
        if function := machine.word(variable):
            result = yield Call(function, (character,))
    return result


def _write_to_uart(_machine: Machine, character: int) -> Steps:
    """Send it: a line feed as two characters, and no carriage return of its own."""
    if character == _CR:
        return character
    if character == _LF:
        yield Call(_SEND, (_CR,))
    return (yield Call(_SEND, (character,)))


def _write_to_buffer(machine: Machine, character: int) -> int:
    """Store it in the buffer, while that has room."""
    if room := machine.half(_ROOM):
        at = machine.word(_BUFFER)
        machine.set_byte(at, character)
        machine.set_half(_ROOM, room - 1)
        machine.set_word(_BUFFER, at + 1)
    return character


def _buffered(machine: Machine, character: int) -> Steps:
    _write_to_buffer(machine, character)
    yield from ()
    return character


def _putc(machine: Machine) -> Steps:
    return (yield Call(_SEND, (machine.arg(0),)))


def _getc(machine: Machine) -> Steps:
    to = machine.arg(0)
    character = yield Call(_RECEIVE)
    machine.set_byte(to, character)
    return character


def _install_putc1(machine: Machine) -> None:
    machine.set_word(_PUTC1, machine.arg(0))


def _install_putc2(machine: Machine) -> None:
    machine.set_word(_PUTC2, machine.arg(0))


def _install_uart_printf(machine: Machine) -> None:
    machine.set_word(_PUTC1, _WRITE_TO_UART)


def _install_external_printf(machine: Machine) -> None:
    machine.set_word(_BEFORE, machine.arg(0))
    machine.set_word(_PUTC2, machine.arg(1) or _WRITE_TO_BUFFER)
    machine.set_word(_AFTER, machine.arg(2))


def _room(machine: Machine) -> int:
    return machine.half(_ROOM)


def _reset_room(machine: Machine) -> None:
    machine.set_half(_ROOM, 0)


# Printing ---------------------------------------------------------------------------------------------------


class _Directive(NamedTuple):
    """What stands between ``%`` and the letter, which is the last.

    Attributes:
        left: Whether the field is filled up behind.
        zeros: Whether with zeros.  A precision means that too, whatever it is.
        width: Of the field, at least.
        longs: How many l.
        letter: What to print.
        end: Address behind it.
    """

    left: bool
    zeros: bool
    width: int
    longs: int
    letter: int
    end: int


class _Arguments:
    """The arguments of a printf, one after the other.

    Args:
        read: The word at a place among those of the call, of which the template is the first: six come in
            registers.
        place: That of the next one.
    """

    def __init__(self, read: Callable[[int], int], place: int) -> None:
        self._read = read
        self._place = place

    def word(self) -> int:
        """The next one."""
        self._place += 1
        return self._read(self._place - 1)

    def long(self) -> int:
        """The next one of 64 bits: they begin at an even place."""
        self._place += self._place & 1
        return self.word() | self.word() << 32


# Instructions that printing takes, about: firmware changes the speed of the line right behind a text, and
# what has not left by then is lost.
_PER_CHARACTER, _PER_DIRECTIVE = 15, 130

_REGISTERS: Final = 6  # words of a call that come in them
_REGISTERS_SIZE: Final = 0x20  # of what lies before those on the stack, which count from there


def _listed(machine: Machine) -> _Arguments:
    """The arguments that a va_list stands for: it comes as three words, behind two other arguments."""
    stack, registers, used = machine.arg(2), machine.arg(3), machine.arg(4)

    def read(place: int) -> int:
        if place < _REGISTERS:
            return machine.word(registers + _BYTES * place)
        return machine.word(stack + _REGISTERS_SIZE + _BYTES * (place - _REGISTERS))

    place = used // _BYTES
    return _Arguments(read, place if place <= _REGISTERS else place - 2)


def _passed(machine: Machine) -> _Arguments:
    """The arguments of this call: registers as they are now, as calls out use them, too."""
    registers = [machine.arg(number) for number in range(_REGISTERS)]

    def read(place: int) -> int:
        return registers[place] if place < _REGISTERS else machine.arg(place)

    return _Arguments(read, 1)


def _directive(machine: Machine, at: int) -> _Directive:
    """Read one; the place is behind the ``%``."""
    letter = machine.byte(at)
    if left := letter == ord("-"):
        at += 1
        letter = machine.byte(at)
    if zeros := letter == ord("0"):
        at += 1
        letter = machine.byte(at)
    width = 0
    while letter in b"0123456789":
        width = 10 * width + letter - ord("0")
        at += 1
        letter = machine.byte(at)
    if letter == ord("."):
        zeros = True
        at += 1
        while (letter := machine.byte(at)) in b"0123456789":
            at += 1
    longs = 0
    while letter == ord("l") and longs < 2:  # noqa: PLR2004 (long long)
        longs += 1
        at += 1
        letter = machine.byte(at)
    return _Directive(left, zeros, width, longs, letter, at + 1)


class _Printing:
    """One printf.

    Args:
        machine: The processor.
        put: What takes the characters.
        arguments: What is printed.
    """

    def __init__(self, machine: Machine, put: _Put, arguments: _Arguments) -> None:
        self._machine = machine
        self._put = put
        self._arguments = arguments
        self._count = 0
        # The length of the text before, less what was printed of it: it counts where there is no text.
        self._size = 0

    def run(self, at: int) -> Steps:
        """Print by a template; returns how many characters these were, but for some that go uncounted."""
        while letter := self._machine.byte(at):
            at += 1
            if letter == ord("%"):
                directive = _directive(self._machine, at)
                yield from self._print(directive)
                at = directive.end
            else:
                yield from self._counted(bytes([letter]))
        return self._count

    def _counted(self, text: bytes) -> Steps:
        yield from self._uncounted(text)
        self._count += len(text)
        return None

    def _uncounted(self, text: bytes) -> Steps:
        for character in text:
            self._machine.work(_PER_CHARACTER)
            yield from self._put(self._machine, character)
        return None

    def _print(self, directive: _Directive) -> Steps:
        letter = chr(directive.letter)
        self._machine.work(_PER_DIRECTIVE)
        if letter in "cC":
            yield from self._counted(bytes([self._arguments.word() & 0xFF]))
        elif letter in "sS":
            address = self._arguments.word()
            yield from self._field(directive, self._machine.text(address) if address else b"<null>")
        elif letter in "dDuUxX":
            number = self._number(directive)
            text = f"{abs(number):{'d' if letter in 'dDuU' else letter}}".encode()
            yield from self._field(directive, text, minus=number < 0)
        elif letter in "bB":
            yield from self._field(directive, self._bits(directive))
        elif letter == "p":
            number = self._number(directive)
            yield from self._uncounted(b"0x")
            yield from self._field(directive._replace(zeros=True, width=8), f"{number:x}".encode())
        elif letter == "%":
            yield from self._uncounted(b"%")
            yield from self._field(directive, None)
        else:
            yield from self._counted(bytes([ord("%"), directive.letter]))
            yield from self._field(directive, None)
        return None

    def _number(self, directive: _Directive) -> int:
        """The next argument; one without sign is of 32 bits in any case."""
        bits = 64 if directive.longs > 1 else 32
        value = self._arguments.long() if directive.longs > 1 else self._arguments.word()
        if directive.letter in b"dD":
            return value - (1 << bits) if value >> bits - 1 else value
        return value & 0xFFFF_FFFF

    def _bits(self, directive: _Directive) -> bytes:
        """A number's bits as dots and ones, the lowest first; the last of them is missing in the real one."""
        width = directive.width or (64 if directive.longs > 1 else 32)
        number = self._number(directive)
        return bytes(b".1"[number >> bit & 1] for bit in range(width))

    def _field(self, directive: _Directive, text: bytes | None, *, minus: bool = False) -> Steps:
        """Print a text, filled up to a width; without a text, what fills up for the one before."""
        size = self._size if text is None else len(text)
        fill = directive.width - size - minus
        sign = b"-" if minus else b""
        if directive.zeros:
            yield from self._counted(sign)
            sign = b""
        if not directive.left:
            yield from self._counted((b"0" if directive.zeros else b" ") * fill)
        yield from self._counted(sign + (text or b""))
        if directive.left:
            yield from self._counted(b" " * fill)
        self._size = min(size, 0) - 1
        return None


def _vprintf(machine: Machine) -> Steps:
    function = machine.arg(0)

    def put(_machine: Machine, character: int) -> Steps:
        return (yield Call(function, (character,)))

    return (yield from _Printing(machine, put, _listed(machine)).run(machine.arg(1)))


def _printf(machine: Machine) -> Steps:
    if not (machine.word(_PUTC1) or machine.word(_PUTC2)):
        return 0
    return (yield from _surrounded(machine, _write_char))


def _uart_printf(machine: Machine) -> Steps:
    arguments = _passed(machine)
    return (yield from _Printing(machine, _write_to_uart, arguments).run(machine.arg(0)))


def _external_printf(machine: Machine) -> Steps:
    return (yield from _surrounded(machine, _buffered))


def _surrounded(machine: Machine, put: _Put) -> Steps:
    """Print between two functions that firmware may have set for it."""
    template, arguments = machine.arg(0), _passed(machine)
    if before := machine.word(_BEFORE):
        yield Call(before, (_BUFFER, _ROOM, _AFTER_ARGUMENT))
    count = yield from _Printing(machine, put, arguments).run(template)
    if after := machine.word(_AFTER):
        yield Call(after, (machine.word(_AFTER_ARGUMENT),))
    return count


def _ets_write_char(machine: Machine) -> Steps:
    return (yield from _write_char(machine, machine.arg(0)))


def _ets_write_char_uart(machine: Machine) -> Steps:
    return (yield from _write_to_uart(machine, machine.arg(0)))


def _ets_write_char_buffer(machine: Machine) -> None:
    _write_to_buffer(machine, machine.arg(0))


FUNCTIONS: Final[tuple[RomFunction, ...]] = (
    RomFunction(0x4000_1DA0, "ets_write_char", _ets_write_char),
    RomFunction(_WRITE_TO_UART, "ets_write_char_uart", _ets_write_char_uart),
    RomFunction(0x4000_1F00, "ets_vprintf", _vprintf),
    RomFunction(0x4000_242C, "ets_install_putc1", _install_putc1),
    RomFunction(0x4000_2438, "ets_install_uart_printf", _install_uart_printf),
    RomFunction(0x4000_2450, "ets_install_external_printf", _install_external_printf),
    RomFunction(0x4000_248C, "ets_install_putc2", _install_putc2),
    RomFunction(0x4000_2494, "est_get_printf_buf_remain_len", _room),
    RomFunction(0x4000_249C, "est_reset_printf_buf_len", _reset_room),
    RomFunction(_WRITE_TO_BUFFER, "ets_write_char_buffer", _ets_write_char_buffer),
    RomFunction(0x4000_24CC, "ets_printf", _printf),
    RomFunction(0x4000_2544, "ets_uart_printf", _uart_printf),
    RomFunction(0x4000_2578, "ets_external_printf", _external_printf),
    RomFunction(0x4000_2A88, "ets_strcpy", _strcpy),
    RomFunction(0x4000_2A98, "ets_strncpy", _strncpy),
    RomFunction(0x4000_2AA8, "ets_strcmp", _strcmp),
    RomFunction(0x4000_2AB8, "ets_strncmp", _strncmp),
    RomFunction(0x4000_2AC8, "ets_strlen", _strlen),
    RomFunction(0x4000_2AD8, "ets_strstr", _strstr),
    RomFunction(0x4000_2AF8, "ets_str2macaddr", _str2macaddr),
    RomFunction(0x4000_2B74, "ets_char2xdigit", _char2xdigit),
    RomFunction(0x4000_2BCC, "ets_getc", _getc),
    RomFunction(0x4000_2BE8, "ets_putc", _putc),
    RomFunction(0x4000_BDC8, "strcmp", _strcmp),
    RomFunction(0x4000_BEC8, "strcpy", _strcpy),
    RomFunction(0x4000_BF4C, "strlen", _strlen),
    RomFunction(0x4000_BFA8, "strncmp", _strncmp),
    RomFunction(0x4000_C0A0, "strncpy", _strncpy),
    RomFunction(0x4000_E1E0, "strstr", _strstr),
)
