"""How much of the stub the scenarios run: its basic blocks, noted by the interpreter's translation."""

from __future__ import annotations

import re
import subprocess
from bisect import bisect_right
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from fixtures import stub_build
from imgtool.device.stub import own_late_code
from imgtool.virtual.cpu import translate
from imgtool.virtual.cpu.core import Core
from tests.stub import parts
from tests.stub.host import stub
from tests.stub.scenarios import SCENARIOS, play

if TYPE_CHECKING:
    from pathlib import Path

    from imgtool.formats.code.isa import Instruction

LEAST: Final = 1.0
LINE: Final = re.compile(r"(4010[0-9a-f]{4}):\s+([0-9a-f]+)\s+(\S+)(?:\s+(.*))?")
ADDRESS: Final = re.compile(r"0x4010[0-9a-f]{4}|\b4010[0-9a-f]{4}\b")
ENDS: Final = {"j", "j.l", "jx", "ret", "ret.n"}
NO_RETURN: Final = re.compile(r"_Noreturn void (\w+)\(")


class Line(NamedTuple):
    """An instruction of the disassembly."""

    following: int
    mnemonic: str
    target: int | None


def disassembly(elf: Path) -> dict[int, Line]:
    command = [f"{stub_build.PREFIX}objdump", "-d", "-j", ".text", "-j", ".late", str(elf)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = {}
    for match in filter(None, map(LINE.match, text.splitlines())):
        address, code, mnemonic, operands = match.groups()
        target = ADDRESS.search(operands or "")
        at = int(address, 16)
        found[at] = Line(at + len(code) // 2, mnemonic, int(target[0], 16) if target else None)
    return found


def functions(elf: Path) -> dict[int, str]:
    """Names of functions by address."""
    command = [f"{stub_build.PREFIX}objdump", "-t", str(elf)]
    rows = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return {int(row.split()[0], 16): row.split()[-1] for row in rows if re.search(r" F \.(text|late)\b", row)}


def basic_blocks(lines: dict[int, Line], names: dict[int, str]) -> set[int]:
    """Leaders of all that can be reached from functions; so literals are none of it."""
    sources = "".join(path.read_text() for path in stub_build.FIRMWARE.glob("*.[ch]"))
    endless = {at for at, name in names.items() if name.split(".")[0] in NO_RETURN.findall(sources)}
    leaders, seen, waiting = set(names), set[int](), list(names)
    while waiting:
        at = waiting.pop()
        while at not in seen:
            seen.add(at)
            following, mnemonic, target = lines[at]
            is_branch = mnemonic.startswith("b") and mnemonic not in {"break", "break.n"}
            if is_branch or mnemonic in {"j", "j.l"}:
                assert target is not None
                leaders.add(target)
                waiting.append(target)
            if mnemonic in ENDS or (mnemonic == "call0" and target in endless):
                break
            if is_branch:
                leaders.add(following)
            at = following
    return leaders


def ran_blocks(leaders: set[int], monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Leaders that were executed while all scenarios ran."""
    ran: set[int] = set()

    class Noting(translate._Translation):
        def step(self, path: translate._Path, pc: int, instruction: Instruction) -> int | None:
            # What has run needs no note any more in the chips that follow.
            if pc in leaders and pc not in ran:
                self.emit(f"core.ran.add({pc})")
            return super().step(path, pc, instruction)

    monkeypatch.setattr(translate, "_Translation", Noting)
    monkeypatch.setattr(translate, "_kept", {})  # what was translated before takes no notes
    monkeypatch.setattr(Core, "ran", ran, raising=False)
    for scenario in SCENARIOS:
        play(scenario)
    return ran


@pytest.mark.long
def test_basic_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = parts.missing_compiler()
    if reason:
        pytest.skip(reason)
    elf = tmp_path / "stub.elf"
    stub_build.build_elf(elf)
    assert stub_build.section(elf, ".text") == stub().blocks[0]
    assert stub_build.section(elf, ".late") == own_late_code()
    names = functions(elf)
    leaders = basic_blocks(disassembly(elf), names)
    ran = ran_blocks(leaders, monkeypatch)
    assert ran <= leaders
    starts = sorted(names)
    never = [f"{at:#x} in {names[starts[bisect_right(starts, at) - 1]]}" for at in sorted(leaders - ran)]
    covered = len(ran) / len(leaders)
    assert covered >= LEAST, "\n".join([f"{covered:.1%} of {len(leaders)} basic blocks; not:", *never])
