from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fixtures.dumps import SECRETS
from imgtool.cli.show.html.page import html_page
from imgtool.cli.show.html.values import escaped, fact_list
from imgtool.formats.containers.gzip_file import GzipStream
from imgtool.formats.containers.text_file import TextFile
from imgtool.formats.containers.tuya import TuyaHeader
from imgtool.formats.contents import Hint, HintKind
from imgtool.formats.filesystems.espfs import EspFs, EspFsFile
from imgtool.formats.filesystems.spiffs import SpiffsSignature
from imgtool.formats.filesystems.stored_files import FileListing, ListedFile
from imgtool.formats.images.rtos_app import AppDescription, RtosAppDetails
from imgtool.formats.reading import (
    Checksum,
    FileKind,
    Finding,
    Firmware,
    Header,
    Part,
    PartKind,
    SegmentInfo,
    Severity,
)
from imgtool.formats.regions.rtos_partitions import Partition, RtosPartitionTable
from imgtool.operations.inspect.describe import Description, describe
from imgtool.operations.inspect.file_systems import with_files
from tests.html_reading import Page
from tests.support import IMAGES, Command, Put, aggregate, corpus_folder

DUMP = "dumps/nodemcu-3-used-4m.bin"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'>&lt;</style></title><!--"


def page_of(data: bytes, name: str = "file.bin") -> str:
    return html_page([(name, describe(data))])


def made_up(text: str) -> Description:
    """A description with one text wherever a file can have one."""
    listing = FileListing(
        superblock=SpiffsSignature(0x1000, 3, text),
        kind=PartKind.SPIFFS,
        layout=text,
        files=(ListedFile(text, 3, whole=True), ListedFile(text, 3, whole=False)),
        used=1,
        free=2,
        deleted=0,
        half_written=0,
        most_erases=None,
    )
    app = RtosAppDetails(1, AppDescription(text, text, text, text, text))
    parts = (
        Part(PartKind.IMAGE_V1, 0, 16, 0x40100000, Checksum("xor8", 1, 2), (SegmentInfo(8, 8, 0),), text),
        Part(PartKind.SPIFFS, 16, 16, note=text, value=listing),
        Part(PartKind.USER_DATA, 32, 16, value=EspFs((EspFsFile(text, b"", 3, text),))),
        Part(PartKind.PARTITION_TABLE, 48, 16, value=RtosPartitionTable((Partition(0, 0x10, 16, 16, text),))),
        Part(PartKind.APP, 64, 16, value=app),
        *(
            Part(PartKind.UNKNOWN, 80 + number, 1, value=value)
            for number, value in enumerate(
                (
                    GzipStream(text, 1),
                    Hint(HintKind.DATA, text, 1.0),
                    TextFile(text, title=text),
                    TuyaHeader(text),
                )
            )
        ),
    )
    return Description(
        kind=FileKind.FLASH_DUMP,
        size=84,
        sha256="00" * 32,
        firmware=Firmware(
            name=text, version=text, sdk=text, build=text, lua=text, builder=text, details={f"{text} a": text}
        ),
        header=Header(1, 0x40100004, 2, 0x40),
        parts=parts,
        findings=(Finding(Severity.ERROR, text, text, 48), Finding(Severity.NOTE, text, text)),
        content=Description(
            kind=FileKind.UNKNOWN,
            size=0,
            sha256="",
            firmware=None,
            header=None,
            parts=(),
            findings=(Finding(Severity.NOTE, text, text),),
        ),
    )


def facts_of_any_shape(text: str) -> dict[str, Any]:
    """Facts with one text wherever they can have one; as a name never one that fields have."""
    name = f"{text} a"
    records = [{"name": text, "address": 16}, {name: text}]
    return {name: text, "records": records, "list": [text, text], "inner": {"a": {name: [{name: text}]}}}


@pytest.mark.parametrize("name", IMAGES)
def test_page_is_well_formed_and_whole(name: str) -> None:
    description = describe(IMAGES[name])
    page = Page(html_page([(name, description)]))

    assert page.errors == []
    assert page.text.count("WRONG") >= sum(not check.ok for _, check in description.checksums)
    for number in range(len(description.parts)):
        assert f"f1-p{number}" in page.ids
        assert f"#f1-p{number}" in page.links
    for finding in description.findings:
        assert " ".join(finding.message.split()) in page.text


def test_a_page_on_several_files_is_well_formed() -> None:
    described = [(name, describe(IMAGES[name])) for name in ("v2/bad-crc.bin", "text/page.bin", DUMP)]
    page = Page(html_page(described))

    assert page.errors == []
    assert "3 files: 1 good, 1 damaged, 1 no ESP8266 files" in page.text
    assert [f"#f{number}" in page.links for number in (1, 2, 3)] == [True, True, True]


def test_verdict_is_in_the_words_of_the_terminal(put: Put, imgtool: Command) -> None:
    for name in (DUMP, "broken/bad-checksum.bin", "text/page.bin", "blank.bin"):
        put("file.bin", name)
        verdict = imgtool("inspect", "file.bin").out.splitlines()[1]

        assert verdict in Page(page_of(IMAGES[name])).text


def test_all_that_the_dump_says_is_there() -> None:
    text = Page(page_of(IMAGES[DUMP])).text

    for words in (
        "NodeMCU 3.0.0.0, SDK 3.0.1-dev(fce080e)",
        "nodemcu-build.com",
        "0x40100004",
        "0x3fd000 system-param",
        "two equal copies, network stored",
        "4,096 bytes (4 KB), less than 0.1 %",
        "SPIFFS0",
        "target_power_qdb_0",
        "20.50 dBm",
        "XOR of image-v1",
        "IRAM",
        describe(IMAGES[DUMP]).sha256,
    ):
        assert words in text
    assert "{'" not in text
    assert "()" not in text


def test_findings_lead_to_their_region() -> None:
    description = describe(IMAGES["dumps/sdk-boot-bad-slot-1m.bin"])
    (finding,) = (each for each in description.findings if each.severity is Severity.ERROR)
    assert finding.offset is not None
    number = next(at for at, part in enumerate(description.parts) if part.offset <= finding.offset < part.end)

    page = html_page([("file.bin", description)])
    assert f'<a href="#f1-p{number}"><code>0x{finding.offset:06x}</code></a>' in page.partition("Map")[0]


@pytest.mark.parametrize(("count", "more"), [(20, ""), (21, "1 more"), (1500, "1,480 more")])
def test_many_findings_are_folded(count: int, more: str) -> None:
    findings = tuple(Finding(Severity.NOTE, "n", f"finding {number};") for number in range(count))
    page = html_page(
        [
            (
                "x",
                Description(
                    kind=FileKind.UNKNOWN,
                    size=0,
                    sha256="",
                    firmware=None,
                    header=None,
                    parts=(),
                    findings=findings,
                ),
            )
        ]
    )
    text = Page(page).text

    assert Page(page).errors == []
    assert [f"finding {number};" in text for number in range(count)] == [True] * count
    assert (f"<summary>{more}</summary>" in page) == (count > 20)


def test_a_table_before_its_first_boot_names_no_places() -> None:
    page = page_of(IMAGES["generations/nodemcu-3-with-files.bin"])
    rows = [
        row
        for row in page.partition("Partition table")[2].partition("</table>")[0].split("<tr>")
        if "SPIFFS0" in row
    ]

    assert "by the first boot" in rows[0]
    assert "the rest" in rows[0]
    assert "<a " not in rows[0]


def test_partitions_lead_to_what_they_hold() -> None:
    page = page_of(IMAGES[DUMP])
    row = re.search(r"<tr>(?:(?!<tr>).)*SPIFFS0.*?</tr>", page)

    assert row is not None
    assert ">spiffs</a>" in row[0]


def test_init_data_says_what_differs_from_v05() -> None:
    data = bytearray(IMAGES["init-data/v05.bin"])
    usual = page_of(bytes(data))
    data[34] -= 8

    assert (usual.count("differs"), page_of(bytes(data)).count("differs")) == (0, 1)


def test_size_of_an_rtos_sdk_application_is_by_its_own_table() -> None:
    text = Page(page_of(IMAGES["rtos3/app.bin"])).text

    assert "dio, 40m, 2MB" in text
    assert "2MB, by the table of the RTOS SDK" in text


def test_what_is_inside_is_described_too() -> None:
    page = Page(page_of(IMAGES["gzip/sample.bin.gz"], "sample.gz"))

    assert "sample.gz, inside" in page.text
    assert "f1-in-p0" in page.ids


# The map.


def slices(page: str) -> list[tuple[float, float]]:
    """Top and bottom of each stretch of the strip, in thousandths of it."""
    found = re.findall(r'class="slice" d="M0 ([\d.]+)H30V([\d.]+)H0Z"', page)
    return [(float(top), float(bottom)) for top, bottom in found]


@pytest.mark.parametrize("name", [DUMP, "dumps/arduino-4m.bin", "dumps/rboot-1m.bin"])
def test_strip_is_to_scale(name: str) -> None:
    description = describe(IMAGES[name])
    drawn = slices(html_page([(name, description)]))

    expected = [
        (1000 * part.offset / description.size, 1000 * part.end / description.size)
        for part in description.parts
    ]
    assert [round(value, 1) for pair in drawn for value in pair] == pytest.approx(
        [value for pair in expected for value in pair], abs=0.06
    )


def test_bands_end_at_their_rows() -> None:
    ends = re.findall(r'd="M30 \S+ \S+ 65 (\S+) 100 (\S+?)V([\d.]+)C', page_of(IMAGES[DUMP]))
    edges = [1000 * number / len(ends) for number in range(len(ends) + 1)]

    assert [float(top) for top, _, _ in ends] == pytest.approx(edges[:-1], abs=0.01)
    assert [float(bottom) for _, _, bottom in ends] == pytest.approx(edges[1:], abs=0.01)


def test_a_file_of_one_part_has_no_strip() -> None:
    assert "<svg" not in page_of(IMAGES["broken/bad-checksum.bin"])


@pytest.mark.parametrize(("count", "bands"), [(2, 2), (300, 300), (301, 0)])
def test_thousands_of_parts_have_the_strip_alone(count: int, bands: int) -> None:
    parts = tuple(Part(PartKind.UNKNOWN, 16 * number, 16) for number in range(count))
    page = html_page(
        [
            (
                "x",
                Description(
                    kind=FileKind.FLASH_DUMP,
                    size=16 * count,
                    sha256="",
                    firmware=None,
                    header=None,
                    parts=parts,
                    findings=(),
                ),
            )
        ]
    )

    assert (Page(page).errors, page.count('class="band"')) == ([], bands)
    assert (page.count('class="mini"'), page.count("<details ")) == (bands == 0, count)


def test_an_empty_file_has_a_page() -> None:
    page = Page(page_of(b""))

    assert (page.errors, "empty file, 0 bytes" in page.text) == ([], True)


# What comes from files is text.


def test_markup_in_a_file_is_shown_as_text() -> None:
    page = html_page([(HOSTILE, made_up(HOSTILE))])

    assert Page(page).errors == []
    assert Page(page).tags == Page(html_page([("x", made_up("x"))])).tags
    assert " ".join(HOSTILE.split()) in Page(page).text

    facts = Page(fact_list(facts_of_any_shape(HOSTILE), HOSTILE))
    assert (facts.errors, facts.tags) == ([], Page(fact_list(facts_of_any_shape("x"), "x")).tags)


@given(text=st.text(min_size=1, max_size=40))
def test_no_text_makes_an_element(text: str) -> None:
    assume(not re.fullmatch("[0-9a-f]{24,}", text))  # those are set as code
    page = Page(html_page([(text, made_up(text))]))
    usual = Page(html_page([("x", made_up("x"))]))

    # Commas let a line break; nothing else depends on a text.
    assert page.errors == []
    assert [tag for tag in page.tags if tag != "wbr"] == [tag for tag in usual.tags if tag != "wbr"]

    facts = Page(fact_list(facts_of_any_shape(text), text))
    assert facts.errors == []
    assert [tag for tag in facts.tags if tag != "wbr"] == Page(fact_list(facts_of_any_shape("x"), "x")).tags


@given(text=st.text())
def test_escaped_text_is_read_back_as_what_is_seen(text: str) -> None:
    seen = unescape(escaped(text))

    assert (seen.isprintable(), seen if text.isprintable() else text) == (True, text)


def test_markup_in_a_banner_is_shown_as_text(put: Put, folder: Path, imgtool: Command) -> None:
    put("file.bin", aggregate("nodemcu-3.0-2021").replace(b"file,gpio", b"<b>x</b>,"))
    imgtool("inspect", "file.bin", "--html", "page.html")
    page = Page((folder / "page.html").read_text(encoding="utf-8"))

    assert page.errors == []
    assert "<b>x</b>,,net,node" in page.text


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_markup_in_a_name_is_shown_as_text(put: Put, folder: Path, imgtool: Command) -> None:
    name = "<b onclick=x>\x1b[31m\u202e.bin"
    put(name, "blank.bin")
    run = imgtool("inspect", name, "--html", "page.html")
    page = Page((folder / "page.html").read_text(encoding="utf-8"))

    assert (run.code, page.errors) == (0, [])
    assert "<b onclick=x>\\x1b[31m\\u202e.bin" in page.text


@pytest.mark.skipif(sys.platform != "linux", reason="others have no such names")
def test_a_name_that_is_no_text_has_a_page(put: Put, folder: Path, imgtool: Command) -> None:
    put(os.fsdecode(b"\xff.bin"), "blank.bin")
    run = imgtool("inspect", "-r", ".", "--html", "page.html")

    assert run.code == 0
    assert "\\udcff.bin" in (folder / "page.html").read_text(encoding="utf-8")


def test_page_needs_nothing_else() -> None:
    page = page_of(IMAGES[DUMP])

    assert "default-src 'none'" in page
    assert re.findall(r"<script|<link|<img|@import|url\(|https?:|\bon\w+=|\bsrc=", page) == []


def scheme(styles: str) -> dict[str, str]:
    """The colours that one :root rule names."""
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]+)", styles))


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
        shares = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_contrast_is_what_wcag_aa_asks_for(dark: bool) -> None:
    styles = page_of(b"").partition("<style>")[2]
    light, _, rest = styles.partition("@media screen and (prefers-color-scheme: dark)")
    colours = scheme(light) | (scheme(rest.partition("@media")[0]) if dark else {})

    grounds = ("paper", "card", "shade")
    words = [(name, ground) for name in ("ink", "soft", "accent", "good", "bad", "odd") for ground in grounds]
    words += [(name, f"{name}-bg") for name in ("good", "bad", "odd")]
    drawn = [(name, "card") for name in ("blue", "green", "magenta", "red", "cyan", "yellow")]
    assert {pair for pair in words if contrast(*(colours[each] for each in pair)) < 4.5} == set()
    # Cyan and yellow are light for the sake of those who do not tell colours apart; the rows have words.
    assert {pair for pair in drawn if contrast(*(colours[each] for each in pair)) < 2.6} == set()


def test_credentials_are_not_on_the_page() -> None:
    for name in [name for name in IMAGES if name.startswith("dumps/")]:
        page = page_of(IMAGES[name])
        assert [secret for secret in SECRETS if secret in page] == []


# New facts need no code.


def test_new_facts_show_up() -> None:
    facts: dict[str, Any] = {
        "files": [{"name": "init.lua", "size": 1234567, "erased": False}, {"name": "b", "offset": 0x30000}],
        "used": 65536,
        "label": None,
        "inner": {"active_slot": 1, "start_address": 0x40201010},
    }
    page = Page(fact_list(facts, "spiffs at 0x030000"))

    assert page.errors == []
    for words in ("init.lua", "1,234,567", "0x030000", "65,536 bytes (64 KB)", "active slot", "0x40201010"):
        assert words in page.text
    assert page.text.split()[:4] == ["used", "65,536", "bytes", "(64"]


def card(page: str, title: str) -> str:
    """The text of a card of the state."""
    start = page.index(f"<h3>{title}")
    return " ".join(re.sub("<[^>]*>", " ", page[start : page.index("</section>", start)]).split())


def test_what_starts_is_said_as_on_the_terminal() -> None:
    assert card(page_of(IMAGES[DUMP]), "What starts") == (
        "What starts 0x000000 firmware at 0x000000: one firmware, no slots"
    )
    two = card(page_of(IMAGES["dumps/sdk-boot-2-slots-1m.bin"]), "What starts")
    assert "slot offset image starts user1 0x001000 whole" in two
    assert two.endswith("user1 0x001000 whole user2 0x081000 whole yes")


def test_deviations_of_init_data_are_a_table() -> None:
    data = bytearray(IMAGES["dumps/sdk-boot-1m.bin"])
    data[0xFC000 + 34] -= 4
    shown = card(page_of(bytes(data)), "Init data")

    assert "looks like set v05, but for 1 field field in set v05 here " in shown


def test_copies_of_parameters_are_told_where_they_differ() -> None:
    data = bytearray(IMAGES["dumps/sdk-boot-1m.bin"])
    assert "copy" not in card(page_of(bytes(data)), "System parameters").replace("copies", "")
    data[0xFE000:0xFF000] = b"\xff" * 0x1000
    data[0xFF000:0xFF008] = bytes.fromhex("00ffffffaa55aa55")

    assert card(page_of(bytes(data)), "System parameters").endswith(
        "first copy parameters, in force second copy blank"
    )


@pytest.mark.parametrize("count", [1, 2, 100])
def test_files_of_a_file_system_are_a_table(count: int) -> None:
    described = with_files(IMAGES[DUMP], describe(IMAGES[DUMP]))
    number = next(at for at, part in enumerate(described.parts) if part.kind is PartKind.SPIFFS)
    found = described.parts[number].value
    assert isinstance(found, FileListing)
    listed = tuple(ListedFile(f"f{number}.lua", 10 * number, whole=True) for number in range(count))
    part = replace(described.parts[number], value=replace(found, files=listed, used=65536, free=12))
    parts = (*described.parts[:number], part, *described.parts[number + 1 :])
    page = html_page([("file.bin", described._replace(parts=parts))])
    text = Page(page).text

    words = "1 file" if count == 1 else f"{count} files"
    assert Page(page).errors == []
    assert f"spiffs at 0x03e000: {words}, 65,536 bytes (64 KB) used, 12 bytes free" in text
    assert [text.count(f" {each.path} ") for each in listed] == [1] * count
    assert ("<summary>all files</summary>" in page) == (count == 100)


# The command.


def test_page_beside_the_answer(put: Put, folder: Path, imgtool: Command) -> None:
    put("file.bin", "sample/0x00000.bin")
    plain, run = imgtool("inspect", "file.bin"), imgtool("inspect", "file.bin", "--html", "page.html")

    assert (run.code, run.err) == (0, "")
    assert run.out == plain.out + "\nThe page is in page.html\n"
    assert (folder / "page.html").read_text(encoding="utf-8") == html_page(
        [("file.bin", describe(IMAGES["sample/0x00000.bin"]))]
    )


def test_page_beside_json(put: Put, folder: Path, imgtool: Command) -> None:
    put("file.bin", "sample/0x00000.bin")
    run = imgtool("inspect", "file.bin", "--html", "page.html", "--json")

    assert run == imgtool("inspect", "file.bin", "--json")
    assert (json.loads(run.out)["ok"], (folder / "page.html").exists()) == (True, True)


def test_page_to_stdout_is_all_there(put: Put, folder: Path, imgtool: Command) -> None:
    put("file.bin", "sample/0x00000.bin")
    run = imgtool("inspect", "file.bin", "--html", "-")

    assert run.out == page_of(IMAGES["sample/0x00000.bin"])
    assert sorted(folder.iterdir()) == [folder / "file.bin"]


def test_page_and_json_to_stdout_is_2(put: Put, imgtool: Command) -> None:
    put("file.bin", "sample/0x00000.bin")
    run = imgtool("inspect", "file.bin", "--html", "-", "--json")

    assert (run.code, run.out, json.loads(run.err)["error"]["type"]) == (2, "", "UsageError")


@pytest.mark.parametrize(("name", "code"), [("blank.bin", 0), ("v2/bad-crc.bin", 1), ("text/page.bin", 3)])
@pytest.mark.parametrize("page", ["-", "page.html"])
def test_exit_code_stays(put: Put, imgtool: Command, name: str, code: int, page: str) -> None:
    put("file.bin", name)

    assert imgtool("inspect", "file.bin", "--html", page).code == code


def test_an_input_is_not_overwritten(put: Put, imgtool: Command) -> None:
    path = put("file.bin", "blank.bin")
    run = imgtool("inspect", "file.bin", "--html", "file.bin")

    assert (run.code, run.out, "file.bin is an input" in run.err) == (2, "", True)
    assert path.read_bytes() == IMAGES["blank.bin"]


def test_a_page_that_cannot_be_written_is_2(put: Put, imgtool: Command) -> None:
    put("file.bin", "blank.bin")
    run = imgtool("inspect", "file.bin", "--html", "no/page.html")

    assert (run.code, run.out, "no/page.html cannot be written" in run.err) == (2, "", True)


def test_folders_and_workers(put: Put, folder: Path, imgtool: Command) -> None:
    for name in ("init-data/v05.bin", "blank.bin", "v2/user1.bin"):
        put(f"in/{name}", name)
    run = imgtool("inspect", "-r", "in", "-j", "2", "--html", "a.html")
    imgtool("inspect", "-r", "in", "--html", "b.html")

    page = (folder / "a.html").read_bytes()
    assert (run.out.splitlines()[-1], page) == ("The page is in a.html", (folder / "b.html").read_bytes())
    assert Page(page.decode()).errors == []


def test_who_wants_no_page_loads_none_of_it(put: Put) -> None:
    path = put("file.bin", "blank.bin")
    code = "import sys; from imgtool.cli.app import main\ntry: main(['inspect', sys.argv[1]])\nfinally: "
    code += "print([n for n in sys.modules if 'html' in n])"
    run = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)

    assert run.stdout.splitlines()[-1] == "[]"


def test_real_images_have_pages() -> None:
    described = [
        (path.name, describe(path.read_bytes()))
        for path in sorted(corpus_folder().rglob("*"))
        if path.is_file()
    ]

    assert Page(html_page(described)).errors == []
