"""lx106 code to Python closures: one an instruction, for code that runs a few times.

Making a closure takes a hundredth of the time that :mod:`imgtool.virtual.cpu.translate` needs for its share
of a function, and running it some ten times as long.  Both take what instructions do from
:mod:`imgtool.virtual.cpu.semantics`; neither knows of the other, so each tests the other.

A factory of closures is made for each mnemonic, from source text, when it is met for the first time.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from imgtool.formats.code import isa
from imgtool.virtual.cpu.semantics import (
    BY_CORE,
    CONDITIONS,
    ENDS,
    LOADS,
    MOVES,
    NOTHING,
    SHIFTS,
    STORES,
    SYNONYMS,
    VALUES,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from imgtool.formats.code.isa import Instruction
    from imgtool.virtual.cpu.translate import Code

    Action = Callable[[], None]
    Ending = Callable[[int], tuple[int, int]]

__all__ = ["Closures", "closures"]

_WORD: Final = 0xFFFF_FFFF
_SIGN: Final = 0x8000_0000
_FLIP: Final = 0x3FFF_FFFF
_SAR: Final = 3
_LONGEST: Final = 64  # instructions of a basic block, the rest is another


class Closures(NamedTuple):
    """A basic block.

    Attributes:
        actions: What its instructions do, in order, but for the last; those without effect have none.
        ending: Called with the count of instructions at the entry: does the last one, and gives the next
            program counter and the count.
        words: Addresses, rounded down to 4, of all words that it was made from.
        size: Instructions.
    """

    actions: tuple[Action, ...]
    ending: Ending
    words: frozenset[int]
    size: int


def closures(code: Code, root: int, names: Mapping[str, Any]) -> Closures:
    """The basic block at an address.

    Args:
        code: Where to read instructions and literals.
        root: Address of the first instruction, where there is code.
        names: What translated functions refer to, too (imgtool.virtual.cpu.core).
    """
    actions: list[Action] = []
    words: set[int] = set()
    pc = root
    for at in range(_LONGEST):
        fetched = code.fetch(pc)
        if not fetched:
            return Closures(tuple(actions), _make("goto", names, pc, at), frozenset(words), at)
        instruction = isa.decode(fetched, pc)
        words.update((pc & ~3, pc + (instruction.size if instruction else 3) - 1 & ~3))
        if instruction is None:
            return Closures(tuple(actions), _make("undefined", names, pc, at), frozenset(words), at)
        mnemonic = instruction.mnemonic.removesuffix(".n")
        following = pc + instruction.size
        if mnemonic in _SPECIAL and instruction.operands[1] == _SAR and mnemonic != "rsil":
            actions.append(_make(f"{mnemonic}_sar", names, *instruction.operands, pc, at))
        elif mnemonic in ENDS or mnemonic in _SPECIAL:
            ending = _ending(mnemonic, instruction, names, pc, at)
            return Closures(tuple(actions), ending, frozenset(words), at + 1)
        elif mnemonic == "l32r":
            actions.append(_literal(code, words, names, instruction.operands, pc, at))
        elif mnemonic not in NOTHING:
            actions.append(_make(mnemonic, names, *instruction.operands, pc, at))
        pc = following
    return Closures(tuple(actions), _make("goto", names, pc, _LONGEST), frozenset(words), _LONGEST)


def _literal(
    code: Code, words: set[int], names: Mapping[str, Any], operands: tuple[int, ...], pc: int, at: int
) -> Action:
    register, address = operands
    value = code.literal(address)
    if value is None:
        action: Action = _make("l32r", names, register, address, pc, at)
        return action
    words.add(address & ~3)
    constant: Action = _make("movi", names, register, value, pc, at)
    return constant


def _ending(mnemonic: str, instruction: Instruction, names: Mapping[str, Any], pc: int, at: int) -> Ending:
    operands, following = instruction.operands, pc + instruction.size
    if mnemonic in CONDITIONS:
        first, *middle, target = operands
        second = middle[0] if middle else 0
        if mnemonic in {"blti", "bgei"}:
            second = second & _WORD ^ _SIGN
        elif mnemonic in {"bbci", "bbsi"}:
            second = 1 << second
        elif mnemonic.endswith("i"):
            second &= _WORD
        ending: Ending = _make(mnemonic, names, first, second, target, following, at + 1)
        return ending
    padded = (*operands, 0, 0)[:2]
    other: Ending = _make(mnemonic, names, *padded, pc, following, at)
    return other


# Factories --------------------------------------------------------------------------------------------------

# Special registers end a block: who writes one may have let an interrupt in.
_SPECIAL: Final = frozenset({"rsr", "wsr", "xsr", "rsil"})
_REGISTERS: Final = frozenset({"r", "s", "t"})


def _make(mnemonic: str, names: Mapping[str, Any], *operands: int) -> Any:  # noqa: ANN401 (an action or an ending)
    return _factory(mnemonic)(names, *operands)


@functools.cache
def _factory(mnemonic: str) -> Callable[..., Any]:
    parameters, needs, body, ending = _text(mnemonic)
    lines = [f"def make(names, {parameters}):"]
    lines += [f" {name} = names[{name!r}]" for name in needs]
    lines += [f" def action({'n' if ending else ''}):", *(f"  {line}" for line in body), " return action", ""]
    made: dict[str, Any] = {}
    exec(compile("\n".join(lines), f"<lx106 {mnemonic}>", "exec"), made)  # noqa: S102 (text from our own table)
    factory: Callable[..., Any] = made["make"]
    return factory


def _text(mnemonic: str) -> tuple[str, tuple[str, ...], list[str], bool]:
    """Parameters of a factory, names that it needs, the body of its closure, whether that is an ending."""
    if mnemonic in CONDITIONS:
        second = "y" if mnemonic.endswith("i") else "a[y]"
        text = CONDITIONS[mnemonic].format("a[x]", second)
        return (
            "x, y, target, following, done",
            ("a",),
            [f"return (target if {text} else following), n + done"],
            True,
        )
    if mnemonic in _ENDINGS:
        needs, body = _ENDINGS[mnemonic]
        parameters = "to, at" if mnemonic == "goto" else "pc, at" if mnemonic == "undefined" else _AT_END
        return parameters, needs, body, True
    if mnemonic in BY_CORE:
        codes = {"break": ", x, y", "rfi": ", x", "waiti": ", x"}.get(mnemonic, "")
        name = f"{mnemonic}_"
        return _AT_END, (name,), [f"return {name}(n + at, pc{codes})"], True
    if mnemonic in LOADS:
        return (
            "d, s, offset, pc, at",
            ("a", "core", *_access("load", LOADS[mnemonic])),
            _load(mnemonic),
            False,
        )
    if mnemonic in STORES:
        return (
            "d, s, offset, pc, at",
            ("a", "core", *_access("store", STORES[mnemonic])),
            _store(mnemonic),
            False,
        )
    parameters, body = _compute(mnemonic)
    needs = tuple(name for name in ("a", "core", "load32") if any(f"{name}" in line for line in body))
    return f"{parameters}, pc, at", needs, body, False


def _access(what: str, size: int) -> tuple[str, ...]:
    checked = ("misaligned",) if size > 1 else ()
    return (f"dram{size * 8}", f"{what}{size * 8}", *checked)


def _at_address(size: int) -> tuple[list[str], str]:
    """The lines that compute an address, and the index of DRAM for it."""
    lines = ["address = a[s] + offset"]
    if size > 1:
        lines.append(f"if address & {size - 1}: misaligned(address, pc, core.entered + at)")
    index = f"address ^ {_FLIP}"
    return lines, f"({index}) >> {size // 2}" if size > 1 else index


def _load(mnemonic: str) -> list[str]:
    size = LOADS[mnemonic]
    lines, index = _at_address(size)
    lines.append(f"try: value = dram{size * 8}[{index}]")
    lines.append(f"except IndexError: value = load{size * 8}(address, pc, core.entered + at)")
    if mnemonic == "l16si":
        lines.append("if value > 32767: value |= 0xffff0000")
    return [*lines, "a[d] = value"]


def _store(mnemonic: str) -> list[str]:
    size = STORES[mnemonic]
    lines, index = _at_address(size)
    value = "a[d]" if size == 4 else f"a[d] & {(1 << size * 8) - 1}"  # noqa: PLR2004 (bytes of a word)
    lines.append(f"try: dram{size * 8}[{index}] = {value}")
    lines.append(f"except IndexError: store{size * 8}(address, {value}, pc, core.entered + at)")
    return lines


def _compute(mnemonic: str) -> tuple[str, list[str]]:  # noqa: PLR0911 - one for each form
    """Parameters and body of an instruction that changes one register."""
    if mnemonic in SHIFTS:
        immediate = isa.ROWS[mnemonic].operands[0] == "amount"
        return "x", [f"core.sar = {SHIFTS[mnemonic].format('x' if immediate else 'a[x]')}"]
    if mnemonic in MOVES:
        return "d, x, y", [f"if {MOVES[mnemonic].format('', '', 'a[y]')}: a[d] = a[x]"]
    if mnemonic in _SAR_ACCESS:
        return "d, x", _SAR_ACCESS[mnemonic]
    if mnemonic == "movi":
        return "d, x", ["a[d] = x & 0xffffffff"]
    if mnemonic == "l32r":
        return "d, x", ["a[d] = load32(x, pc, core.entered + at)"]
    if mnemonic == "extui":
        return "d, x, shift, width", ["a[d] = a[x] >> shift & (1 << width) - 1"]
    if mnemonic == "srai":
        return "d, x, y", [f"a[d] = (a[x] ^ {_SIGN}) - {_SIGN} >> y & 0xffffffff"]
    row = isa.ROWS.get(mnemonic) or isa.ROWS[f"{mnemonic}.n"]
    sources = ["x", "y"][: len(row.operands) - 1]
    texts = [
        f"a[{name}]" if kind in _REGISTERS else name
        for kind, name in zip(row.operands[1:], sources, strict=True)
    ]
    value = VALUES[SYNONYMS.get(mnemonic, mnemonic)]
    text = value.expression.format(None, *texts).replace("sar", "core.sar")
    largest = [_WORD if text.startswith("a[") else 0xFF for text in texts]
    top = value.top(*largest) if value.top else -1
    negative = mnemonic in {"addi", "addmi"}
    if negative or not 0 <= top <= _WORD:
        text = f"({text}) & 0xffffffff"
    return ", ".join(["d", *sources]), [f"a[d] = {text}"]


_SAR_ACCESS: Final = {
    "rsr_sar": ["a[d] = core.sar"],
    "wsr_sar": ["core.sar = a[d] & 63"],
    "xsr_sar": ["a[d], core.sar = core.sar, a[d] & 63"],
}
_AT_END: Final = "x, y, pc, following, at"
_ACCESS: Final = ("a", "read_special", "write_special")
_ENDINGS: Final[dict[str, tuple[tuple[str, ...], list[str]]]] = {
    "goto": ((), ["return to, n + at"]),
    "undefined": (("undefined",), ["undefined(pc, n + at)"]),
    "isync": ((), ["return following, n + at + 1"]),
    "j": ((), ["return x, n + at + 1"]),
    "jx": (("a",), ["return a[x], n + at + 1"]),
    "ret": (("a",), ["return a[0], n + at + 1"]),
    "call0": (("a",), ["a[0] = following", "return x, n + at + 1"]),
    "callx0": (("a",), ["to = a[x]", "a[0] = following", "return to, n + at + 1"]),
    "rsr": (_ACCESS[:2], ["a[x] = read_special(y, n + at)", "return following, n + at + 1"]),
    "wsr": (("a", "write_special"), ["write_special(y, a[x], pc, n + at)", "return following, n + at + 1"]),
    "xsr": (
        _ACCESS,
        [
            "old = read_special(y, n + at)",
            "write_special(y, a[x], pc, n + at)",
            "a[x] = old",
            "return following, n + at + 1",
        ],
    ),
    "rsil": (("a", "rsil_"), ["a[x] = rsil_(y, pc, n + at)", "return following, n + at + 1"]),
}
