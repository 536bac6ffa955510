"""``imgtool prove`` on virtual chips: what it sees, what it leaves behind, and what it refuses."""

from __future__ import annotations

import hashlib
import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from imgtool.device.own_stub import OwnFlasher
from imgtool.device.stub import own_late_code, own_stub
from imgtool.operations.proof import observations
from imgtool.operations.proof.assumptions import ASSUMPTIONS, Amounts
from tests.support import Command, Put

PORT = "sim:512KB,flash=f.bin"
SIZE = 0x80000
BLOCK = 0x10000
LITTLE = Amounts(
    requests=2, by_registers=64, digest=0x4000, read=512, write=0x2000, burst=0x800, sectors=1, blocks=2
)


@pytest.fixture(autouse=True)
def little_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - in a folder of its own
    for name in ("IMGTOOL_PORT", "IMGTOOL_BAUD", "ESPTOOL_PORT", "ESPTOOL_BAUD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(observations, "prove_stub", partial(observations.prove_stub, amounts=LITTLE))


@pytest.fixture
def board(put: Put) -> Path:
    """A flash with something in every block but the third."""
    content = bytearray(b"\xff" * SIZE)
    for block in range(0, SIZE, BLOCK):
        content[block + 0x123 : block + 0x127] = b"\xff" * 4 if block == 2 * BLOCK else b"code"
    return put("f.bin", bytes(content))


def result(text: str) -> dict[str, Any]:
    document = json.loads(text)
    assert (document["schema"], document["command"], len(document["results"])) == (1, "prove", 1)
    fields: dict[str, Any] = document["results"][0]
    fields["ok"] = document["ok"]
    return fields


def verdicts(fields: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["holds"] for each in fields["observations"]}


def test_all_holds_and_a_block_with_content_is_put_back(board: Path, imgtool: Command, folder: Path) -> None:
    before = board.read_bytes()
    run = imgtool("prove", "-p", PORT, "--board", "none at all", "--scratch", "0x10000")

    (path,) = folder.glob("*.json")
    fields = result(path.read_text())
    assert run.code == 0, run.out
    assert board.read_bytes() == before
    assert sorted(each.name for each in folder.iterdir()) == ["f.bin", path.name]
    assert re.fullmatch(r"imgtool-stub-18fe34a1b2c3-\d{8}-\d{6}\.json", path.name)
    assert list(verdicts(fields)) == list(ASSUMPTIONS)
    assert set(verdicts(fields).values()) == {"yes"}
    assert (fields["ok"], fields["silicon"], fields["board"]) == (True, False, "none at all")
    assert (fields["scratch"], fields["restored"], fields["baud"]) == (BLOCK, True, 921_600)
    stub = b"".join(data for _, data in (*own_stub().blocks, own_late_code()))
    assert fields["stub_sha256"] == hashlib.sha256(stub).hexdigest()
    for each in fields["observations"]:
        assert each["assumed"] == ASSUMPTIONS[each["name"]]
        assert (each["seconds"] is None) == (each["times"] == [])
    assert f"all {len(ASSUMPTIONS)} assumptions hold" in run.out.splitlines()
    assert "no evidence: the chip is a virtual one" in " ".join(run.out.split())


def test_no_blank_block(put: Put, imgtool: Command, folder: Path) -> None:
    content = (b"\xff" * 0x8000 + b"code" + b"\xff" * 0x7FFC) * (SIZE // BLOCK)
    board = put("f.bin", content)
    run = imgtool("prove", "-p", PORT)

    assert (run.code, "expected --scratch ADDR" in " ".join(run.err.split())) == (2, True), run.err
    assert board.read_bytes() == content
    assert [each.name for each in folder.iterdir()] == ["f.bin"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--scratch", "0x11000"], 2, "expected 0x10000 or 0x20000"),
        (["--scratch", "0x80000"], 4, "beyond the end of the flash"),
        (["-o", "no/p.json"], 2, "there is no folder no"),
        (["-o", "."], 2, "is a folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_words(imgtool: Command, arguments: list[str], code: int, words: str) -> None:
    run = imgtool("prove", "-p", "sim:512KB", *arguments)

    assert (run.code, words in " ".join(run.err.split())) == (code, True), run.err


def test_a_protected_flash_is_left_so(board: Path, imgtool: Command, folder: Path) -> None:
    before = board.read_bytes()
    run = imgtool("prove", "-p", f"{PORT},fault=protect", "-o", "p.json", "--json")

    assert (folder / "p.json").read_text() == run.out
    found = verdicts(result(run.out))
    assert (run.code, found["status-registers"], found["write-in-flight"]) == (1, "no", "not observed")
    assert "write-protected by bits 0x1c" in run.out
    assert board.read_bytes() == before


def test_a_worn_sector_is_told(board: Path, imgtool: Command, folder: Path) -> None:
    before = board.read_bytes()
    run = imgtool("prove", "-p", f"{PORT},fault=worn=0x20005.0", "-o", "p.json")

    fields = result((folder / "p.json").read_text())
    found = verdicts(fields)
    assert (run.code, fields["ok"], fields["restored"], fields["scratch"]) == (1, False, False, 2 * BLOCK)
    assert (found["erase-block"], found["restored"]) == ("no", "no")
    assert found["watchdog"] == found["neighbours"] == "yes"
    changed = [at for at, (old, new) in enumerate(zip(before, board.read_bytes(), strict=True)) if old != new]
    assert changed == [0x20005]


def test_interrupted_and_put_back(
    board: Path, imgtool: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = board.read_bytes()
    write, erase = OwnFlasher.write, OwnFlasher.erase

    def stop(self: OwnFlasher, address: int, *_: object, **__: object) -> None:
        monkeypatch.setattr(OwnFlasher, "write", write)
        write(self, address, bytes(0x1000), lambda _: None, erased=True)
        assert board.read_bytes() != before
        monkeypatch.setattr(OwnFlasher, "erase", stop_again)
        raise KeyboardInterrupt

    def stop_again(*_: object) -> None:
        monkeypatch.setattr(OwnFlasher, "erase", erase)
        raise KeyboardInterrupt

    monkeypatch.setattr(OwnFlasher, "write", stop)
    run = imgtool("prove", "-p", PORT, "--scratch", "0x10000")

    assert (run.code, "the flash holds what it did" in run.err) == (130, True), run.err
    assert board.read_bytes() == before
    assert [each.name for each in folder.iterdir()] == ["f.bin"]


def test_lost_power(board: Path, imgtool: Command, folder: Path) -> None:
    before = board.read_bytes()
    run = imgtool("prove", "-p", f"{PORT},fault=cut=page:20:0.5", "-o", "p.json")

    found = verdicts(result((folder / "p.json").read_text()))
    assert (run.code, found["write-in-flight"], found["restored"]) == (1, "no", "yes")
    assert board.read_bytes() == before
    assert sorted(each.name for each in folder.iterdir()) == ["f.bin", "p.json"]


def test_a_stub_that_falls_silent_is_started_again(
    board: Path, imgtool: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = board.read_bytes()

    def stop(self: OwnFlasher, address: int, *_: object, **__: object) -> None:
        # It goes to another speed, so that nothing it says is understood any more.
        self._link.set_baud(9600)
        self._link.send(bytes([address & 1]))

    monkeypatch.setattr(OwnFlasher, "write", stop)
    run = imgtool("prove", "-p", PORT, "-o", "p.json")

    fields = result((folder / "p.json").read_text())
    found = verdicts(fields)
    assert (run.code, found["write-in-flight"], found["watchdog"]) == (1, "no", "not observed")
    assert (found["restored"], fields["restored"]) == ("yes", True)
    assert board.read_bytes() == before


def test_help(imgtool: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    run = imgtool("prove", "--help")

    words = " ".join(re.sub(r"[^\w\s$:/-]", " ", run.out).split())
    assert run.code == 0
    assert max(len(line) for line in run.out.splitlines()) <= 80
    assert all(option in words for option in ("--port -p", "--baud -b", "--scratch", "--json", "--output -o"))
