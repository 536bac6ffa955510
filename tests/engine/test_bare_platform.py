"""The engine needs no threads, signals, terminals or C code of others: its documents are the same without."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from tests import boot_logs
from tests.support import IMAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE: Final = Path(__file__).parent
SCRIPT: Final = HERE / "jobs_script.py"
ADVICE: Final = "advise dumps/arduino-4m.bin"
UNREAD: Final = "the files in the LittleFS are not listed: that needs the package littlefs-python"


class Both(NamedTuple):
    """What the script says on this machine as it is, and on it without what others lack."""

    whole: dict[str, Any]
    bare: dict[str, Any]


def write_files(folder: Path) -> Path:
    """Put what the script works on into a folder."""
    for name, data in IMAGES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / "boot.log").write_text(
        boot_logs.BANNER + boot_logs.LOADS + boot_logs.CSUM_ERR, encoding="ascii"
    )
    return folder


def said(*words: str | Path) -> dict[str, Any]:
    """What the script prints, run in a process of its own by some words."""
    run = subprocess.run([sys.executable, "-W", "error", *words], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    document: dict[str, Any] = json.loads(run.stdout)
    return document


def without_littlefs(value: Any) -> Any:  # noqa: ANN401 - JSON
    """A document without what only littlefs-python tells, and without the finding that it is not there."""
    if isinstance(value, dict):
        only_its = (
            {"files", "used", "free"} if value.get("kind") == "littlefs" and "block_size" in value else ()
        )
        return {name: without_littlefs(inner) for name, inner in value.items() if name not in only_its}
    if isinstance(value, list):
        return [without_littlefs(inner) for inner in value if not _is_of_littlefs(inner)]
    return value


def _is_of_littlefs(value: object) -> bool:
    codes = ("littlefs-unread", "not-mounted")
    return value == UNREAD or (isinstance(value, dict) and value.get("code") in codes)


def verdict_on_files(job: dict[str, Any]) -> str:
    """What an advice says of the files."""
    points = job["document"]["results"][0]["points"]
    return str(next(point["verdict"] for point in points if point["topic"] == "files"))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    folder = write_files(tmp_path_factory.mktemp("files"))
    return Both(said(SCRIPT, folder), said(HERE / "bare_platform.py", SCRIPT, folder))


def test_it_is_bare_indeed() -> None:
    program = (
        "import importlib, signal, threading\n"
        "from tests.engine import bare_platform\n"
        "bare_platform.make_bare()\n"
        "def fails(kind, what, *words):\n"
        "    try: what(*words)\n"
        "    except kind: return True\n"
        "assert fails(RuntimeError, threading.Thread(target=print).start)\n"
        "assert fails(ValueError, signal.signal, signal.SIGINT, signal.SIG_DFL)\n"
        "for name in [*bare_platform.ABSENT, 'serial.tools.list_ports']:\n"
        "    assert fails(ImportError, importlib.import_module, name), name\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (run.returncode, run.stderr) == (0, "")


def test_all_modules_are_imported(both: Both) -> None:
    assert both.bare["modules"] == both.whole["modules"]
    packages = {name.split(".")[1] for name in both.bare["modules"]}
    assert packages == {"engine", "operations", "virtual", "layout", "device", "formats"}


def test_every_document_is_the_same_byte_for_byte(both: Both) -> None:
    whole, bare = both.whole["jobs"], both.bare["jobs"]
    differing = [name for name in whole if json.dumps(whole[name]) != json.dumps(bare.get(name))]

    assert list(bare) == list(whole)
    assert len(whole) > len(IMAGES)
    # What only the library tells is left out, and a finding says so.
    assert 0 < len(differing) < 10
    # Nothing tells there that a file system is empty, so it may be lost.
    assert (verdict_on_files(bare[ADVICE]), verdict_on_files(whole[ADVICE])) == ("formatted", "none")
    for name in set(differing) - {ADVICE}:
        assert "littlefs-unread" in json.dumps(bare[name])
        assert json.dumps(without_littlefs(bare[name])) == json.dumps(without_littlefs(whole[name]))
        assert bare[name]["document"]["ok"] == whole[name]["document"]["ok"]


def test_every_kind_of_file_is_among_them(both: Both) -> None:
    kinds = {kind for name, job in both.whole["jobs"].items() for kind in _kinds(job["document"])}

    assert len(kinds) > 25


def _kinds(document: dict[str, Any]) -> Iterator[str]:
    if document.get("command") == "inspect":
        yield from (result["kind"] for result in document["results"])
