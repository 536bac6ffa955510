"""The rows of generations: that no release is forgotten, and that no other module tells what a row tells."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from imgtool.formats.filesystems.spiffs_files import LAYOUTS
from imgtool.formats.firmware import ARDUINO_NAMES
from imgtool.formats.reading import Firmware
from imgtool.layout.generations import ARDUINO, GENERATIONS, generation, generation_of
from imgtool.layout.traits import Family, FilePlace, Generation, InitDataRepair, LfsPlace, Magics, Numbering

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "imgtool"
NAMES: Final = [row.name for row in GENERATIONS]
PLAIN: Final = "non-OS SDK application"

# Releases that were published, by the tags of the projects, each with the row that its rules are in.
RELEASES: Final = [
    (Firmware("NodeMCU", "0.9.2", build="20141219"), "NodeMCU before 0.9.5, built before 2014-12-26"),
    (Firmware("NodeMCU", "0.9.4", build="20141226"), "NodeMCU before 0.9.5"),
    (Firmware("NodeMCU", "0.9.4", build="20141230"), "NodeMCU before 0.9.5"),
    (Firmware("NodeMCU", "0.9.2"), "NodeMCU before 0.9.5"),
    (Firmware("NodeMCU", "0.9.5", build="20150126"), "NodeMCU 0.9.5, built before 2015-01-27"),
    (Firmware("NodeMCU", "0.9.5", build="20150127"), "NodeMCU 0.9.5, built before 2015-02-12"),
    (Firmware("NodeMCU", "0.9.5", build="20150212"), "NodeMCU 0.9.5, built 2015-02-12 to 2015-02-14"),
    (Firmware("NodeMCU", "0.9.5", build="20150214"), "NodeMCU 0.9.5, built 2015-02-12 to 2015-02-14"),
    (Firmware("NodeMCU", "0.9.5", build="20150215"), "NodeMCU 0.9.5, built before 2015-03-16"),
    (Firmware("NodeMCU", "0.9.5", build="20150318"), "NodeMCU 0.9.5"),
    (Firmware("NodeMCU", "0.9.5"), "NodeMCU 0.9.5"),
    (Firmware("NodeMCU", "0.9.6", build="20150406"), "NodeMCU 0.9.6, built 2015-04-06"),
    (Firmware("NodeMCU", "0.9.6"), "NodeMCU 0.9.6"),
    (Firmware("NodeMCU", "1.4.0"), "NodeMCU 1.4"),
    (Firmware("NodeMCU", "1.5.1", "1.5.1(e67da894)"), "NodeMCU 1.5"),
    (Firmware("NodeMCU", "1.5.4.1", "1.5.4.1(39cb9a32)"), "NodeMCU 1.5.4.1"),
    (Firmware("NodeMCU", "2.0.0", "2.0.0(656edbf)"), "NodeMCU 2.0"),
    (Firmware("NodeMCU", "2.1.0", "2.1.0(116b762)"), "NodeMCU 2.1"),
    (Firmware("NodeMCU", "2.2.0", "2.2.1(6ab97e9)"), "NodeMCU 2.2"),
    (Firmware("NodeMCU", "2.2.1", "2.2.1(6ab97e9)"), "NodeMCU 2.2"),
    (Firmware("NodeMCU", "3.0.0.0", "3.0.1-dev(fce080e)"), "NodeMCU 3"),
    (Firmware("NodeMCU"), "NodeMCU of a release that is not known"),
    (Firmware("ESP8266 AT", "1.3", "1.5.4(baaeaebb)"), "AT on SDK before 1.5.4.1"),
    (Firmware("ESP8266 AT", "1.4", "2.0.0(5a875ba)"), "AT on SDK 1.5.4.1 to 2.0"),
    (Firmware("ESP8266 AT", "1.6.2", "2.2.1(6ab97e9)"), "AT on SDK 2.1 and 2.2"),
    (Firmware("ESP8266 AT", "1.7.6", "3.0.6-dev(072755c)"), "AT on SDK 3"),
    (Firmware("ESP8266 AT", "0.21"), "AT on SDK of a version that is not known"),
    (Firmware(PLAIN, sdk="0.9.5(b1)"), "non-OS SDK before 1.5.4.1"),
    (Firmware(PLAIN, sdk="1.5.4.1(39cb9a32)"), "non-OS SDK 1.5.4.1 to 2.0"),
    (Firmware(PLAIN, sdk="2.2.0-dev(9422289)"), "non-OS SDK 2.1 and 2.2"),
    (Firmware(PLAIN, sdk="3.0.4(9532ceb)"), "non-OS SDK 3"),
    (Firmware(PLAIN), "non-OS SDK of a version that is not known"),
    (Firmware("esp-link", "3.0"), "non-OS SDK of a version that is not known"),
    (None, "non-OS SDK of a version that is not known"),
    (Firmware("Arduino", "2.3.0", "1.5.3(aec24ac9)"), "Arduino core 2.0 to 2.3 (SDK before 1.5.4.1)"),
    (Firmware("Arduino", "2.7.4", "2.2.2-dev(38a443e)"), "Arduino core from 2.4 on (SDK 2)"),
    (Firmware("Tasmota", "12.5.0.3", "2.2.2-dev(38a443e)"), "Arduino core from 2.4 on (SDK 2)"),
    (Firmware("WLED", "0.14.3", "3.0.5(b29dcd3)"), "Arduino core built with SDK 3"),
    (Firmware("ESPHome", "2022.3.1"), ARDUINO),
    (Firmware("MicroPython", "1.12", "2.0.0(5a875ba)"), "MicroPython on SDK 1.5.4.1 to 2.0"),
    (Firmware("MicroPython", "1.12", "2.2.0-dev(9422289)"), "MicroPython on SDK 2.1 and later"),
    (Firmware("MicroPython", "1.14"), "MicroPython"),
    (Firmware("CircuitPython", "3.0.0", "2.0.0(5a875ba)"), "MicroPython on SDK 1.5.4.1 to 2.0"),
    (Firmware("MicroPython", "1.8", "1.5.2(80914727)"), "MicroPython on an SDK before 1.5.4.1"),
    (Firmware("ESP8266 RTOS SDK application", "3.4"), "RTOS SDK 3"),
    (Firmware("ESP8266 RTOS SDK boot loader", "3.2"), "RTOS SDK 3"),
    (Firmware("esp-open-rtos"), "esp-open-rtos"),
    (Firmware("Sming", "4.2"), "Sming"),
]


@pytest.mark.parametrize(("firmware", "name"), RELEASES, ids=str)
def test_the_row_of_a_release(firmware: Firmware | None, name: str) -> None:
    assert generation_of(firmware) is generation(name)


def test_every_row_has_a_release() -> None:
    assert {name for _, name in RELEASES} == set(NAMES)


def test_no_row_has_that_name() -> None:
    with pytest.raises(KeyError):
        generation("NodeMCU 99")


@pytest.mark.parametrize("family", Family)
def test_the_releases_of_a_family_have_no_hole_and_no_overlap(family: Family) -> None:
    rows = [row for row in GENERATIONS if row.family is family]
    known = [row for row in rows if row.release_known and row.builds is None]

    assert known
    assert len([row for row in rows if not row.release_known]) <= 1
    assert known[0].first == ()
    assert known[-1].before is None
    assert [one.before for one in known[:-1]] == [two.first for two in known[1:]]
    assert all(one.first < two.first for one, two in pairwise(known))
    assert len({row.numbering for row in rows}) == 1
    assert {row.names for row in rows} == {rows[0].names}


def test_builds_of_one_version_are_told_apart_by_their_dates() -> None:
    rows = [row for row in GENERATIONS if row.builds is not None]
    dates = [(row.first, row.before, *row.builds) for row in rows if row.builds is not None]

    assert dates == [
        ((), (0, 9, 5), "", "20141226"),
        ((0, 9, 5), (0, 9, 6), "", "20150127"),
        ((0, 9, 5), (0, 9, 6), "20150127", "20150212"),
        ((0, 9, 5), (0, 9, 6), "20150212", "20150215"),
        ((0, 9, 5), (0, 9, 6), "20150215", "20150316"),
        ((0, 9, 6), (1,), "20150406", "20150407"),
    ]
    for row in rows:  # what they leave is in a row behind them
        later = GENERATIONS[GENERATIONS.index(row) + 1 :]
        same = [each for each in later if (each.first, each.before) == (row.first, row.before)]
        assert same[-1].builds is None
        assert same[-1].family is row.family


def test_every_name_belongs_to_one_family() -> None:
    assert len(NAMES) == len(set(NAMES))
    names = {
        name: {row.family for row in GENERATIONS if name in row.names}
        for row in GENERATIONS
        for name in row.names
    }
    assert {name: len(families) for name, families in names.items() if len(families) != 1} == {}
    assert [row.family for row in GENERATIONS if not row.names] == [Family.NON_OS] * 5
    assert {generation_of(Firmware(name)).family for name in ARDUINO_NAMES} == {Family.ARDUINO}


@pytest.mark.parametrize("row", GENERATIONS, ids=NAMES)
def test_a_row_says_where_it_is_known_from(row: Generation) -> None:
    assert row.sources
    assert all(source.url.startswith("https://") for source in row.sources)


@pytest.mark.parametrize("row", GENERATIONS, ids=NAMES)
def test_a_row_agrees_with_itself(row: Generation) -> None:
    starts = [each.from_end for each in row.kept]

    assert starts == sorted(starts, reverse=True)
    assert not (row.has_partition_table and row.kept)
    assert (row.own_init_data is not None) == (
        row.missing_init_data
        in (InitDataRepair.IF_ERASED, InitDataRepair.IF_CARRIED, InitDataRepair.UNLESS_RECORDED)
    )
    assert row.release_known or (row.first, row.before) == ((), None)
    if row.files is not None and row.files.place is FilePlace.PARTITION:
        assert row.has_partition_table
    if row.numbering is Numbering.NONE:
        assert [other for other in GENERATIONS if other.family is row.family] == [row]


@pytest.mark.parametrize(
    "firmware",
    [None, Firmware("NodeMCU", "2.2.1"), Firmware("NodeMCU"), Firmware("ESP8266 AT", "1.7.6")],
    ids=str,
)
def test_a_partition_table_decides_before_all_strings(firmware: Firmware | None) -> None:
    assert generation_of(firmware, paged=True) is generation("NodeMCU 3")


# docs/flash-layouts.md, docs/formats/spiffs.md: sector of init data from the end, whether it is needed,
# what is done about it, whether RF calibration is kept, magics, largest size, LFS.
RULES: Final = {
    "NodeMCU before 0.9.5": (4, False, "sdk-default", False, Magics.NONE, 0x40_0000, LfsPlace.NONE),
    "NodeMCU 0.9.5": (4, False, "if-erased", False, Magics.NONE, 0x40_0000, LfsPlace.NONE),
    "NodeMCU 0.9.5, built 2015-02-12 to 2015-02-14": (
        4,
        False,
        "if-erased",
        False,
        Magics.NONE,
        0x20_0000,
        LfsPlace.NONE,
    ),
    "NodeMCU 1.4": (4, False, "if-erased", False, Magics.NONE, 0x40_0000, LfsPlace.NONE),
    "NodeMCU 1.5": (4, False, "sdk-default", False, Magics.NONE, 0x40_0000, LfsPlace.NONE),
    "NodeMCU 1.5.4.1": (4, True, "if-carried", True, Magics.AS_INIT_DATA, 0x40_0000, LfsPlace.NONE),
    "NodeMCU 2.0": (4, True, "if-erased", True, Magics.OLD, 0x40_0000, LfsPlace.NONE),
    "NodeMCU 2.1": (4, True, "if-erased", True, Magics.BY_BUILD, 0x100_0000, LfsPlace.IN_IROM),
    "NodeMCU 2.2": (4, True, "if-erased", True, Magics.LINEAR, 0x100_0000, LfsPlace.IN_IROM),
    "NodeMCU 3": (None, True, "unless-recorded", True, Magics.LINEAR, 0x100_0000, LfsPlace.PARTITION),
    "non-OS SDK before 1.5.4.1": (4, False, "sdk-default", False, None, 0x40_0000, LfsPlace.NONE),
    "non-OS SDK 1.5.4.1 to 2.0": (4, True, "never", True, None, 0x40_0000, LfsPlace.NONE),
    "non-OS SDK 2.1 and 2.2": (4, True, "never", True, None, 0x100_0000, LfsPlace.NONE),
    "AT on SDK 3": (4, True, "never", True, None, 0x100_0000, LfsPlace.NONE),
    "Arduino core from 2.4 on (SDK 2)": (
        None,
        False,
        "compiled-in",
        True,
        Magics.CONSTANT,
        0x100_0000,
        LfsPlace.NONE,
    ),
    "MicroPython": (4, True, "if-erased", True, None, 0x40_0000, LfsPlace.NONE),
    "RTOS SDK 3": (None, False, "compiled-in", True, None, 0x100_0000, LfsPlace.NONE),
}


@pytest.mark.parametrize(("name", "rules"), RULES.items(), ids=RULES)
def test_the_rules_of_a_generation(name: str, rules: tuple[object, ...]) -> None:
    row = generation(name)
    place = next((each.from_end for each in row.kept if each.name == "init-data"), None)
    magics = None if row.files is None else row.files.magics

    assert (
        place,
        row.needs_init_data,
        row.missing_init_data.value,
        row.keeps_rf_cal,
        magics,
        row.sizes.largest,
        row.lfs,
    ) == rules


def test_pages_of_old_releases_have_four_layouts() -> None:
    releases = (
        ("0.9.2", "20141219"),
        ("0.9.4", "20141226"),
        ("0.9.5", None),
        ("0.9.6", None),
        ("1.4.0", None),
    )
    files = [generation_of(Firmware("NodeMCU", version, build=built)).files for version, built in releases]

    assert [rule and rule.pages for rule in files] == ["0.9.2", "0.9.5", "0.9.5", "0.9.6", "packed"]


def test_every_layout_of_pages_is_one_that_is_read() -> None:
    rows = [row for row in GENERATIONS if row.files is not None]
    assert {row.files.pages for row in rows if row.files} <= {layout.name for layout in LAYOUTS}


@pytest.mark.parametrize(
    ("version", "built", "codes", "own"),
    [
        ("0.9.2", "20141219", {0, 1, 2, 3, 4}, {5: 512, 6: 512, 8: 512, 9: 512}),
        ("0.9.5", "20150107", {0, 1, 2, 3, 4}, {5: 512, 6: 512, 8: 512, 9: 512}),
        ("0.9.5", "20150213", {0, 1, 2, 3}, {5: 16384, 6: 16384, 8: 512, 9: 512}),
        ("0.9.5", "20150318", {0, 1, 2, 3, 4}, {5: 8192, 6: 16384, 8: 512, 9: 512}),
    ],
)
def test_how_builds_of_0_9_read_the_size(
    version: str, built: str, codes: set[int], own: dict[int, int]
) -> None:
    sizes = generation_of(Firmware("NodeMCU", version, build=built)).sizes

    assert sizes.codes == codes
    assert sizes.own == {code: kilobytes << 10 for code, kilobytes in own.items()}
    assert sizes.corrects == (built == "20150318")


@pytest.mark.parametrize(
    ("release", "patch"),
    [((2, 1), False), ((2, 1, 0), False), ((2, 1, 1), True), ((2, 1, 0, 0), True), ((2, 1, 0, 1), True)],
)
def test_patches_of_a_version(release: tuple[int, ...], patch: bool) -> None:
    assert generation("NodeMCU 2.1").is_patch(release) is patch


def test_generations_of_a_firmware_follow_one_another() -> None:
    assert generation("NodeMCU 3").is_from(generation("NodeMCU 2.1"))
    assert generation("NodeMCU 2.1").is_from(generation("NodeMCU 2.1"))
    assert not generation("NodeMCU 2.0").is_from(generation("NodeMCU 2.1"))
    assert not generation("non-OS SDK 3").is_from(generation("NodeMCU 0.9.5"))
    assert not generation("NodeMCU of a release that is not known").is_from(generation("NodeMCU 0.9.5"))


def test_the_table_in_the_docs_is_made_from_the_rows() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generations.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )

    assert (done.returncode, done.stdout) == (0, "")


# --- no other module compares versions or names of firmware ---

READERS: Final = ("layout/generations.py", "layout/traits.py", "formats/firmware.py")
"""The modules that may, beside those of the virtual chip, which tells the same on its own."""

KNOWN: Final = frozenset({name for row in GENERATIONS for name in row.names} | {PLAIN})
ORDER: Final = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)


def constants(tree: ast.Module) -> dict[str, ast.expr]:
    """What the module's constants are set to."""
    found: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            found[node.target.id] = node.value
        elif isinstance(node, ast.Assign):
            found |= {target.id: node.value for target in node.targets if isinstance(target, ast.Name)}
    return found


def is_numbers(node: ast.expr) -> bool:
    return isinstance(node, ast.Tuple) and all(
        isinstance(each, ast.Constant) and isinstance(each.value, int) for each in node.elts
    )


def names_in(node: ast.expr) -> set[str]:
    return {
        each.value
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }


def attributes_in(node: ast.expr) -> set[str]:
    return {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}


def decisions(source: str) -> Iterator[int]:
    """The lines in which a version is compared with numbers, or a name with that of a firmware."""
    tree = ast.parse(source)
    known = constants(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare):
            continue
        sides = [known.get(s.id, s) if isinstance(s, ast.Name) else s for s in (node.left, *node.comparators)]
        ordered = any(isinstance(op, ORDER) for op in node.ops)
        asks = {attribute for side in sides for attribute in attributes_in(side)}
        numbers = any(is_numbers(side) for side in sides)
        versions = (ordered and (numbers or "release" in asks)) or (numbers and asks & {"release", "version"})
        names = "name" in asks and any(names_in(side) & KNOWN for side in sides)
        if versions or names:
            yield node.lineno


@pytest.mark.parametrize(
    "source",
    [
        "FIRST = (3,)\nif firmware.release >= FIRST: pass",
        "FIRST: Final = (1, 5, 4, 1)\nif release < FIRST: pass",
        "if firmware.release[:2] == (1, 4): pass",
        "if () < firmware.release < other: pass",
        "if firmware.name == 'NodeMCU': pass",
        "if found.firmware.name not in ('NodeMCU', 'ESP8266 AT'): pass",
        "FAT = ('MicroPython', 'CircuitPython')\nif firmware.name in FAT: pass",
    ],
)
def test_decisions_are_found(source: str) -> None:
    assert [*decisions(source)]


@pytest.mark.parametrize(
    "source",
    [
        "if row.keeps_rf_cal: pass",
        "if region.name == 'EEPROM': pass",
        "if (ident.word_size, ident.byte_order) != (1, 1): pass",
        "if size >= 3: pass",
    ],
)
def test_what_is_no_decision(source: str) -> None:
    assert not [*decisions(source)]


def test_only_the_rows_compare_versions_and_names() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix(): lines
        for path in sorted(PACKAGE.rglob("*.py"))
        if (lines := [*decisions(path.read_text(encoding="utf-8"))])
    }

    assert [name for name in found if name not in READERS and not name.startswith("virtual/")] == []
