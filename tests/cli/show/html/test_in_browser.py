"""The page in a real browser: what it shows, where that lies, and that nothing on it runs.

Chromium without a window and without network, one start a question.  The page allows no script, so what
measures it is put into a copy that does.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from imgtool.cli.show.html.page import html_page
from imgtool.operations.inspect.describe import Description, describe
from tests.html_reading import Page
from tests.support import IMAGES, PATIENCE

pytestmark = pytest.mark.long

CHROMIUM: Final = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS: Final = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --virtual-time-budget=4000 --dump-dom"
)
DUMP = "dumps/nodemcu-3-used-4m.bin"
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
# Runs in the page, hands a value to the one around it.
MEASURE: Final = """
const box = e => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.width, r.height]; };
const body = document.querySelector('.parts tbody'), rows = [...body.rows];
const under = row => {
  row.scrollIntoView({block: 'center', behavior: 'instant'});
  const r = row.getBoundingClientRect();
  const found = document.elementFromPoint(r.left - 1.5, r.top + r.height / 2);
  return found && found.closest('tr') === row;
};
const result = {
  width: innerWidth, wide: document.documentElement.scrollWidth, body: box(body), rows: rows.map(box),
  slices: rows.map(row => box(row.querySelector('.slice'))), under: rows.map(under),
  paper: getComputedStyle(document.body).backgroundColor,
};
rows[2].querySelector('th a').focus();
result.tips = rows.map(row => getComputedStyle(row.querySelector('.tip')).display);
rows[2].querySelector('th a').blur();
location.hash = '#f1-p4';
setTimeout(() => {
  result.opened = [...document.querySelectorAll('details')].map(each => each.open);
  parent.postMessage(result, '*');
}, 200);
"""

Browse = Callable[..., str]


@pytest.fixture
def browse(tmp_path: Path) -> Browse:
    """The document that Chromium makes of a page, once it is loaded."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    program = CHROMIUM

    def run(page: str, *flags: str) -> str:
        path = tmp_path / "page.html"
        path.write_text(page, encoding="utf-8")
        words = [program, *FLAGS.split(), f"--user-data-dir={tmp_path / 'profile'}", *flags, path.as_uri()]
        return subprocess.run(words, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout

    return run


@pytest.fixture
def measured(browse: Browse) -> Callable[..., dict[str, Any]]:
    """What the script above sees in a window of some width."""

    def run(page: str, width: int, *flags: str) -> dict[str, Any]:
        inner = POLICY.sub("", page).replace("</body>", f"<script>{MEASURE}</script></body>")
        outer = (
            "<!DOCTYPE html><body style='margin:0'><script>onmessage = event => { const out = "
            "document.createElement('pre'); out.textContent = JSON.stringify(event.data); "
            "document.body.append(out); }</script>"
            f'<iframe style="width:{width}px;height:1200px;border:0" srcdoc="{html.escape(inner)}"></iframe>'
        )
        found = re.search(r"<pre>(.*)</pre>", browse(outer, f"--window-size={width + 20},1300", *flags))
        assert found is not None
        value: dict[str, Any] = json.loads(html.unescape(found[1]))
        return value

    return run


@pytest.fixture(scope="module")
def dump() -> Description:
    return describe(IMAGES[DUMP])


def test_every_part_is_there_after_loading(browse: Browse, dump: Description) -> None:
    page = Page(browse(html_page([(DUMP, dump)])))

    assert page.errors == []
    assert [each for each in page.ids if "-p" in each] == [f"f1-p{n}" for n in range(len(dump.parts))]


def test_the_browser_mends_nothing(browse: Browse, dump: Description) -> None:
    page = html_page(
        [(DUMP, dump), ("gzip", describe(IMAGES["gzip/sample.bin.gz"])), ("text", describe(b"x"))]
    )

    assert Page(browse(page)).tags == Page(page).tags


def test_no_script_runs(browse: Browse, dump: Description) -> None:
    page = html_page([(DUMP, dump)]).replace("</body>", "<script>document.title = 'it ran'</script></body>")

    assert "<title>it ran</title>" not in browse(page)
    assert "<title>it ran</title>" in browse(POLICY.sub("", page))


@pytest.mark.parametrize("width", [360, 400, 800, 1280])
def test_map_lies_where_it_should(
    measured: Callable[..., dict[str, Any]], dump: Description, width: int
) -> None:
    seen = measured(html_page([(DUMP, dump)]), width)
    _, top, _, height = seen["body"]
    count = len(dump.parts)

    assert (seen["width"], seen["wide"] <= width) == (width, True)
    assert [row[1] - top for row in seen["rows"]] == pytest.approx(
        [height * number / count for number in range(count)], abs=1
    )
    assert [place[1] - top for place in seen["slices"]] == pytest.approx(
        [height * part.offset / dump.size for part in dump.parts], abs=1
    )
    assert seen["under"] == [True] * count


def test_a_link_to_a_part_opens_it(measured: Callable[..., dict[str, Any]], dump: Description) -> None:
    opened = measured(html_page([(DUMP, dump)]), 1280)["opened"]

    assert [number for number, is_open in enumerate(opened) if is_open] == [4]


def test_details_come_up_for_the_part_in_focus(
    measured: Callable[..., dict[str, Any]], dump: Description
) -> None:
    tips = measured(html_page([(DUMP, dump)]), 1280)["tips"]

    assert [number for number, display in enumerate(tips) if display != "none"] == [2]


def test_dark_where_the_system_is_dark(measured: Callable[..., dict[str, Any]], dump: Description) -> None:
    page = html_page([(DUMP, dump)])
    light, dark = (
        measured(page, 800, f"--blink-settings=preferredColorScheme={scheme}")["paper"] for scheme in (1, 0)
    )

    assert (light, dark) == ("rgb(251, 251, 250)", "rgb(20, 23, 27)")


def test_several_files_do_not_overflow(measured: Callable[..., dict[str, Any]]) -> None:
    named = [name for name in IMAGES if name.startswith("dumps/")]
    seen = measured(html_page([(name, describe(IMAGES[name])) for name in named]), 400)

    assert seen["wide"] <= seen["width"]
