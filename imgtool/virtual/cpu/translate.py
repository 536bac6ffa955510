"""lx106 code to Python source: one function for a tree of basic blocks that is entered at its root.

Not execution: :mod:`imgtool.virtual.cpu.core` compiles the source and gives it the names that it refers to.

A function is called as ``block(n, end)``: the instructions executed so far, and a number of them after which
it should return.  It returns the next program counter and the new count.  Registers are in locals meanwhile.
Branches are followed into both directions, with the code behind them repeated; a branch back to the root is a
loop inside the function; everything else returns to the caller.

The DRAM is read and written through views that run from its end to its beginning: for an address in DRAM, and
for no other, ``address ^ 0x3fffffff`` is a valid index, so the interpreter's own bounds check tells DRAM from
the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.formats.code import isa
from imgtool.virtual.cpu.semantics import (
    BY_CORE,
    CONDITIONS,
    ENDS,
    INDIRECT,
    LOADS,
    MOVES,
    NOTHING,
    SHIFTS,
    STORES,
    SYNONYMS,
    VALUES,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgtool.formats.code.isa import Instruction

__all__ = ["LONGEST", "BasicBlock", "Code", "translate", "translated"]

_WORD: Final = 0xFFFF_FFFF
_SIGN: Final = 0x8000_0000
_DRAM: Final = range(0x3FFE_8000, 0x4000_0000)
_FLIP: Final = 0x3FFF_FFFF
_SAR: Final = 3

# How far a function follows the code: instructions in all, on one path, and branches taken on one path.
LONGEST: Final = 160
_PATH: Final = 96
_TAKEN: Final = 5


class Code(NamedTuple):
    """Where a translation reads instructions from.

    Attributes:
        fetch: The bytes (three, or what there is) of the instruction at an address; empty where none can be.
        literal: The word at an address, if it may be taken as constant, or None.
    """

    fetch: Callable[[int], bytes]
    literal: Callable[[int], int | None]


class BasicBlock(NamedTuple):
    """A translated function.

    Attributes:
        source: Python source of a function ``block``.
        words: Addresses, rounded down to 4, of all words that it was made from.
    """

    source: str
    words: frozenset[int]


class _Fact(NamedTuple):
    """What is known of a value on one path: itself, its maximum, a power of two that divides it."""

    value: int | None = None
    top: int = _WORD
    divisor: int = 1


_UNKNOWN: Final = _Fact()


def _constant(value: int) -> _Fact:
    value &= _WORD
    return _Fact(value, value, value & -value or 4)


class _Path:
    """What differs between the paths through a function."""

    def __init__(self, limit: int) -> None:
        self.facts: dict[int, _Fact] = {}
        self.written: set[int] = set()
        self.seen: set[int] = set()
        self.executed = 0
        self.taken = 0
        self.limit = limit

    def copy(self) -> _Path:
        twin = _Path(self.limit)
        twin.facts, twin.written, twin.seen = dict(self.facts), set(self.written), set(self.seen)
        twin.executed, twin.taken = self.executed, self.taken
        return twin


class _Exit(NamedTuple):
    """Where the registers written on a path go back to the core; filled in when all paths are known."""

    indent: int
    written: frozenset[int]
    last: str


_SAR_LOCAL: Final = 16  # stands for SAR among the registers


def _name(register: int) -> str:
    return "sar" if register == _SAR_LOCAL else f"a{register}"


class _Translation:
    """The state of one translation."""

    def __init__(self, code: Code, root: int, *, single: bool) -> None:
        self.code = code
        self.root = root
        self.single = single
        self.lines: list[str | _Exit] = []
        self.entry_reads: set[int] = set()
        self.loop_written: set[int] = set()
        self.loops = False
        self.total = 0
        self.words: set[int] = set()
        self.indent = 0

    def emit(self, text: str) -> None:
        self.lines.append(" " * self.indent + text)

    # Registers ---------------------------------------------------------------------------------------------

    def read(self, path: _Path, register: int) -> str:
        """The text for a register's value."""
        known = path.facts.get(register, _UNKNOWN).value
        if known is not None:
            return str(known)
        if register not in path.written:
            self.entry_reads.add(register)
        return _name(register)

    def write(self, path: _Path, register: int, text: str, fact: _Fact = _UNKNOWN) -> None:
        self.emit(f"{_name(register)} = {text}")
        path.written.add(register)
        path.facts[register] = fact

    # Ways out ----------------------------------------------------------------------------------------------

    def leave(self, path: _Path, target: str) -> None:
        self.lines.append(
            _Exit(self.indent, frozenset(path.written), f"return {target}, n + {path.executed}")
        )

    def back(self, path: _Path) -> None:
        """To the root: once more, unless it is time to return."""
        self.loops = True
        self.loop_written |= path.written
        self.emit(f"n += {path.executed}")
        self.emit("if n < end: continue")
        self.lines.append(_Exit(self.indent, frozenset(path.written), f"return {self.root}, n"))

    def follow(self, path: _Path, pc: int) -> None:
        """All that comes from ``pc`` on."""
        while True:
            if pc == self.root and path.executed and not self.single:
                return self.back(path)
            beyond = self.total >= path.limit or path.executed >= _PATH
            if pc in path.seen or (beyond and path.executed):
                return self.leave(path, str(pc))
            code = self.code.fetch(pc)
            if not code:
                return self.leave(path, str(pc))
            instruction = isa.decode(code, pc)
            self.words.update(((pc & ~3), (pc + (instruction.size if instruction else 3) - 1) & ~3))
            if instruction is None:
                return self.emit(f"undefined({pc}, n + {path.executed})")
            path.seen.add(pc)
            self.total += 1
            target = self.step(path, pc, instruction)
            if target is None:
                return None
            pc = target

    def step(self, path: _Path, pc: int, instruction: Instruction) -> int | None:
        """One instruction; where the path goes on, or None if it has ended."""
        mnemonic, operands, size = instruction
        mnemonic = mnemonic.removesuffix(".n")
        following = pc + size
        if mnemonic in CONDITIONS:
            return self.branch(path, mnemonic, operands, following)
        if mnemonic in INDIRECT:
            return self.indirect(path, mnemonic, operands, following)
        if mnemonic in BY_CORE:
            codes = "".join(f", {operand}" for operand in operands)
            arguments = f"n + {path.executed}, {pc}{codes}"
            self.lines.append(_Exit(self.indent, frozenset(path.written), f"return {mnemonic}_({arguments})"))
            return None
        if mnemonic in LOADS:
            self.load(path, pc, mnemonic, operands)
        elif mnemonic in STORES:
            self.store(path, pc, mnemonic, operands)
        elif mnemonic in {"rsr", "wsr", "xsr", "rsil"}:
            self.special(path, pc, mnemonic, operands)
        elif mnemonic not in NOTHING:
            self.compute(path, pc, mnemonic, operands)
        path.executed += 1
        if mnemonic in {"j", "call0"}:
            following = operands[0]
        if (self.single and mnemonic in ENDS) or mnemonic == "isync":  # after isync, changed code counts
            self.leave(path, str(following))
            return None
        return following

    def branch(self, path: _Path, mnemonic: str, operands: tuple[int, ...], following: int) -> int | None:
        path.executed += 1
        first = self.read(path, operands[0])
        target = operands[-1]
        second = ""
        if mnemonic in {"blti", "bgei"}:
            second = str((operands[1] & _WORD) ^ _SIGN)
        elif mnemonic in {"bbci", "bbsi"}:
            second = str(1 << operands[1])
        elif mnemonic.endswith("i"):
            second = str(operands[1] & _WORD)
        elif len(operands) == 3:  # noqa: PLR2004 (two registers and the target)
            second = self.read(path, operands[1])
        self.emit(f"if {CONDITIONS[mnemonic].format(first, second)}:")
        self.indent += 1
        taken = path.copy()
        taken.taken += 1
        taken.limit = self.total + (path.limit - self.total) // 3
        inner_loop = target < following and target != self.root
        if self.single or inner_loop or (taken.taken > _TAKEN and target != self.root):
            self.leave(taken, str(target))
        else:
            self.follow(taken, target)
        self.indent -= 1
        if self.single:
            self.leave(path, str(following))
            return None
        return following

    def indirect(self, path: _Path, mnemonic: str, operands: tuple[int, ...], following: int) -> int | None:
        path.executed += 1
        register = operands[0] if operands else 0
        target = self.read(path, register)
        if mnemonic == "callx0":
            if register == 0 and path.facts.get(0, _UNKNOWN).value is None:
                self.emit(f"to = {target}")
                target = "to"
            self.write(path, 0, str(following), _constant(following))
        if target.isdecimal() and not self.single:
            return int(target)
        self.leave(path, target)
        return None

    # Instructions ------------------------------------------------------------------------------------------

    def compute(self, path: _Path, pc: int, mnemonic: str, operands: tuple[int, ...]) -> None:
        if mnemonic in SHIFTS:
            kind = isa.ROWS[mnemonic].operands[0]
            value = str(operands[0]) if kind == "amount" else self.read(path, operands[0])
            self.write(path, _SAR_LOCAL, SHIFTS[mnemonic].format(value))
        elif mnemonic in MOVES:
            destination, *sources = operands
            source, test = (self.read(path, register) for register in sources)
            path.facts.pop(destination, None)
            self.read(path, destination)
            self.emit(f"if {MOVES[mnemonic].format(0, source, test)}: {_name(destination)} = {source}")
            path.written.add(destination)
        elif mnemonic == "movi":
            fact = _constant(operands[1])
            self.write(path, operands[0], str(fact.value), fact)
        elif mnemonic == "l32r":
            self.literal(path, pc, operands)
        elif mnemonic == "extui":
            destination, register, shift, width = operands
            source, top = self.read(path, register), path.facts.get(register, _UNKNOWN).top >> shift
            text = f"{source} >> {shift}" if shift else source
            mask = (1 << width) - 1
            self.write(
                path, destination, text if top <= mask else f"{text} & {mask}", _Fact(top=min(top, mask))
            )
        elif mnemonic == "srai":
            destination, register, shift = operands
            source, filled = self.read(path, register), _WORD ^ _WORD >> shift
            text = f"{source} >> {shift} if {source} < 0x80000000 else {source} >> {shift} | {filled}"
            self.write(path, destination, text)
        elif mnemonic == "call0":
            self.write(path, 0, str(pc + 3), _constant(pc + 3))
        elif mnemonic not in {"j", "isync"}:
            self.value(path, SYNONYMS.get(mnemonic, mnemonic), operands)

    def value(self, path: _Path, mnemonic: str, operands: tuple[int, ...]) -> None:
        row = isa.ROWS.get(mnemonic) or isa.ROWS[f"{mnemonic}.n"]
        destination, *sources = operands
        texts, facts = [], []
        for kind, operand in zip(row.operands[1:], sources, strict=True):
            register = kind in {"r", "s", "t"}
            texts.append(self.read(path, operand) if register else str(operand))
            facts.append(path.facts.get(operand, _UNKNOWN) if register else _Fact(operand, operand))
        if mnemonic in {"sll", "srl", "sra", "src"}:
            self.read(path, _SAR_LOCAL)
        same = mnemonic == "or" and sources[0] == sources[1]
        if same or mnemonic == "mov":
            return self.write(path, destination, texts[0], facts[0])
        expression, top = VALUES[mnemonic]
        text = expression.format(None, *texts)
        most = top(*(fact.top for fact in facts)) if top else -1
        fact = _Fact(top=most if 0 <= most <= _WORD else _WORD, divisor=self.divisor(mnemonic, facts))
        if mnemonic in {"add", "addi"} and None not in (values := [fact.value for fact in facts]):
            fact = _constant(sum(value for value in values if value is not None))
            text = str(fact.value)
        elif not 0 <= most <= _WORD:
            text += " & 0xffffffff"
        return self.write(path, destination, text, fact)

    @staticmethod
    def divisor(mnemonic: str, facts: list[_Fact]) -> int:
        """A power of two, at most 4, that divides the result."""
        divisors = [fact.divisor if fact.value is None else fact.value & -fact.value or 4 for fact in facts]
        if mnemonic in {"add", "addi", "sub"}:
            return min(4, *divisors)
        if mnemonic in {"addx2", "addx4", "addx8", "subx2", "subx4", "subx8"}:
            return min(4, divisors[0] * int(mnemonic[-1]), divisors[1])
        if mnemonic == "and":
            return min(4, max(divisors))
        if mnemonic == "slli":
            return min(4, 1 << (facts[1].value or 0))
        return 1

    def literal(self, path: _Path, pc: int, operands: tuple[int, ...]) -> None:
        destination, address = operands
        value = self.code.literal(address)
        if value is None:
            self.write(path, destination, f"load32({address}, {pc}, n + {path.executed})")
        else:
            self.words.add(address & ~3)
            self.write(path, destination, str(value), _constant(value))

    def address(self, path: _Path, pc: int, register: int, offset: int, size: int) -> tuple[str, int | None]:
        """The text of an address, and its value if known; misaligned ones raise."""
        fact = path.facts.get(register, _UNKNOWN)
        text = self.read(path, register)
        if fact.value is not None:
            value = fact.value + offset & _WORD
            if value % size:
                self.emit(f"misaligned({value}, {pc}, n + {path.executed})")
            return str(value), value
        if offset:
            text = f"{text} + {offset}"
        if fact.divisor < size:
            self.emit(f"if {text} & {size - 1}: misaligned({text}, {pc}, n + {path.executed})")
            path.facts[register] = fact._replace(divisor=size)
        return text, None

    def load(self, path: _Path, pc: int, mnemonic: str, operands: tuple[int, ...]) -> None:
        destination, register, offset = operands
        size = LOADS[mnemonic]
        text, value = self.address(path, pc, register, offset, size)
        name = _name(destination)
        slow = f"{name} = load{size * 8}({text}, {pc}, n + {path.executed})"
        fast = f"{name} = dram{size * 8}[{_index(text, value, size)}]"
        if value is None:
            self.emit(f"try: {fast}")
            self.emit(f"except IndexError: {slow}")
        else:
            self.emit(fast if value in _DRAM else slow)
        path.written.add(destination)
        if mnemonic == "l16si":
            self.emit(f"if {name} > 32767: {name} |= 0xffff0000")
        path.facts[destination] = _Fact(top=_WORD if mnemonic == "l16si" else (1 << size * 8) - 1)

    def store(self, path: _Path, pc: int, mnemonic: str, operands: tuple[int, ...]) -> None:
        source, register, offset = operands
        size = STORES[mnemonic]
        text, value = self.address(path, pc, register, offset, size)
        mask = (1 << size * 8) - 1
        stored = self.read(path, source)
        if path.facts.get(source, _UNKNOWN).top > mask:
            stored = f"{stored} & {mask}"
        slow = f"store{size * 8}({text}, {stored}, {pc}, n + {path.executed})"
        fast = f"dram{size * 8}[{_index(text, value, size)}] = {stored}"
        if value is None and not self.single:
            self.emit(f"try: {fast}")
            self.emit(f"except IndexError: {slow}")
        else:
            self.emit(slow if self.single or value not in _DRAM else fast)

    def special(self, path: _Path, pc: int, mnemonic: str, operands: tuple[int, ...]) -> None:
        register, number = operands
        if mnemonic == "rsil":
            return self.write(path, register, f"rsil_({number}, {pc}, n + {path.executed})", _Fact(top=_WORD))
        old = (
            self.read(path, _SAR_LOCAL) if number == _SAR else f"read_special({number}, n + {path.executed})"
        )
        new = self.read(path, register)
        if mnemonic != "wsr":
            self.emit(f"old = {old}")
        if mnemonic != "rsr":
            if number == _SAR:
                self.write(path, _SAR_LOCAL, f"{new} & 63")
            else:
                self.emit(f"write_special({number}, {new}, {pc}, n + {path.executed})")
        if mnemonic != "wsr":
            self.write(path, register, "old")
        return None


def _index(text: str, value: int | None, size: int) -> str:
    shift = size // 2
    if value is not None:
        return str((value ^ _FLIP) >> shift)
    index = f"{text} ^ {_FLIP}"
    return f"({index}) >> {shift}" if shift else index


def translate(code: Code, root: int, *, single: bool = False, most: int = LONGEST) -> BasicBlock:
    """A function for the code at an address.

    Args:
        code: Where to read instructions and literals.
        root: Address of the first instruction.
        single: Stop at the end of the first basic block, and let ``store8`` and so on do all stores.
        most: Instructions that the function may be made of.

    Returns:
        Source of ``block(n, end)``.  Bytes that are no instruction raise only when they are reached.
    """
    work = _Translation(code, root, single=single)
    work.indent = 3
    work.follow(_Path(most), root)
    loaded = sorted(work.entry_reads | work.loop_written)
    lines = ["def block(n, end):", " try:"]
    lines += ["  sar = core.sar" if r == _SAR_LOCAL else f"  a{r} = a[{r}]" for r in loaded]
    lines.append("  while True:" if work.loops else "  if True:")
    for line in work.lines:
        if isinstance(line, str):
            lines.append(line)
            continue
        pad = " " * line.indent
        lines += [
            f"{pad}core.sar = sar" if r == _SAR_LOCAL else f"{pad}a[{r}] = a{r}"
            for r in sorted(line.written | work.loop_written)
        ]
        lines.append(pad + line.last)
    lines += [" except BaseException:", "  recover(locals())", "  raise", ""]
    return BasicBlock("\n".join(lines), frozenset(work.words))


class _Kept(NamedTuple):
    """A translation, with every answer that it rests on."""

    code: tuple[tuple[int, bytes], ...]
    literals: tuple[tuple[int, int | None], ...]
    block: BasicBlock


_MOST_KEPT: Final = 4096  # a stub is made of some hundred functions
_VARIANTS: Final = 4  # of what stands at one address: programs follow each other there
_kept: Final[dict[tuple[int, bool, int], list[_Kept]]] = {}


def translated(code: Code, root: int, *, single: bool = False, most: int = LONGEST) -> BasicBlock:
    """As :func:`translate`, but what was translated before is taken again where the same code stands there.

    Every virtual chip runs the same few stubs; translating one takes longer than much of what it then does.
    """
    key = (root, single, most)
    for kept in _kept.get(key, ()):
        same_code = all(code.fetch(address) == found for address, found in kept.code)
        if same_code and all(code.literal(address) == found for address, found in kept.literals):
            return kept.block
    fetched: dict[int, bytes] = {}
    literals: dict[int, int | None] = {}

    def fetch(address: int) -> bytes:
        return fetched.setdefault(address, code.fetch(address))

    def literal(address: int) -> int | None:
        return literals.setdefault(address, code.literal(address))

    block = translate(Code(fetch, literal), root, single=single, most=most)
    if len(_kept) >= _MOST_KEPT:
        _kept.clear()
    variants = _kept.setdefault(key, [])
    variants.insert(0, _Kept(tuple(fetched.items()), tuple(literals.items()), block))
    del variants[_VARIANTS:]
    return block
