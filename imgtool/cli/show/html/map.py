"""The map of a file for a page: a strip to scale, and from each stretch of it a band to its row of the table.

A row has the same height whatever its part's size: so a sector of 4 KB in a flash of 16 MB, thinner than a
line on the strip, has a band that can be seen and a row that can be read.  Colours are those of the map on
the terminal.  No script: what belongs together lies in one table row, and the style sheet does the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from imgtool.cli.show.flash_map import style_of
from imgtool.cli.show.html.values import address, definitions, escaped, link
from imgtool.quantities import bytes_and_units

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["basics", "figure", "sort_of", "thumbnail"]

_HEIGHT: Final = 1000  # of the drawing, in its own units
_STRIP: Final = 30  # percent of the lane that the strip takes; bands take the rest
_BEND: Final = (_STRIP + 100) // 2
_MOST_TICKS: Final = 8
_DENSE: Final = 40  # rows
_MOST_BANDS: Final = 300  # of noise cut into thousands of parts there is a strip alone: browsers take seconds
_CAPTION: Final = (
    "<figcaption>The strip on the left is to scale; what would be too thin to be seen is drawn as a line. "
    "The rows are not to scale: every part has the same height.</figcaption>"
)


def sort_of(kind: str) -> str:
    """The class of a kind of part: the colour that the terminal shows it in."""
    return "c-" + style_of(kind).split()[-1]


def basics(part: Mapping[str, Any], whole: int) -> list[tuple[str, str]]:
    """What is to be said of any part, as names and HTML."""
    end = part["offset"] + part["size"]
    pairs = [
        ("offset", f"<code>{address(part['offset'])}</code>"),
        ("end", f"<code>{address(end)}</code>"),
        ("size", f"{bytes_and_units(part['size'])}, {_share(part['size'], whole)}"),
    ]
    if "address" in part:
        pairs.append(("address", f"<code>0x{part['address']:08x}</code>"))
    if part.get("note"):
        pairs.append(("contents", escaped(part["note"])))
    if "segments" in part:
        pairs.append(("segments", str(len(part["segments"]))))
    if "checksum" in part:
        check = part["checksum"]
        verdict = '<b class="good">holds</b>' if check["ok"] else '<b class="bad">WRONG</b>'
        pairs.append(("check", f"{escaped(check['algorithm'])} {verdict}"))
    return pairs


def _share(size: int, whole: int) -> str:
    percent = 100 * size / whole if whole else 0
    return f"{percent:.1f} %" if percent >= 0.1 else "less than 0.1 %"  # noqa: PLR2004 - the next digit shown is none


def thumbnail(parts: Sequence[Mapping[str, Any]], whole: int) -> str:
    """The strip alone, lying, for a row of the overview."""
    slices = "".join(
        f'<path class="{sort_of(part["kind"])}" '
        f'd="M{_scaled(part["offset"], whole)} 0H{_scaled(part["offset"] + part["size"], whole)}V10H'
        f'{_scaled(part["offset"], whole)}Z"/>'
        for part in parts
    )
    return (
        f'<svg class="mini" viewBox="0 0 {_HEIGHT} 10" preserveAspectRatio="none" aria-hidden="true">'
        f"{slices}</svg>"
    )


def _scaled(offset: int, whole: int) -> str:
    return f"{_HEIGHT * offset / whole if whole else 0:.2f}".rstrip("0").rstrip(".")


def figure(parts: Sequence[Mapping[str, Any]], whole: int, anchor: str, label: str) -> str:
    """Strip, bands, table of parts and legend.

    Args:
        parts: The fields of each part, as under ``--json``.
        whole: Size of the file.
        anchor: What the anchors of its parts begin with.
        label: The name of the file; text.
    """
    banded = 1 < len(parts) <= _MOST_BANDS
    rows = "".join(
        _row(part, whole, f"{anchor}-p{number}", _band(number, len(parts), part, whole) if banded else "")
        for number, part in enumerate(parts)
    )
    ticks = f'<div class="ticks" aria-hidden="true">{_ticks(whole)}</div>' if banded else ""
    lying = thumbnail(parts, whole) if len(parts) > _MOST_BANDS else ""
    style = "map plain" if not banded else "map dense" if len(parts) > _DENSE else "map"
    return (
        f'<figure class="{style}" aria-label="Map of {escaped(label)}"><div class="ground">{lying}{ticks}'
        # Roles again: browsers drop them where a table is laid out as a grid.
        '<table class="parts" role="table"><thead role="rowgroup"><tr role="row">'
        '<th role="columnheader" scope="col">offset</th><th role="columnheader" scope="col">part</th>'
        '<th role="columnheader" scope="col" class="num">size</th>'
        '<th role="columnheader" scope="col">contents</th></tr></thead>'
        f'<tbody role="rowgroup">{rows}</tbody></table></div>'
        f"{_legend(parts, whole)}{_CAPTION if banded else ''}</figure>"
    )


def _row(part: Mapping[str, Any], whole: int, place: str, band: str) -> str:
    kind = escaped(part["kind"])
    where = f"at 0x{part['address']:08x}" if "address" in part else ""
    contents = escaped(part.get("note") or where)
    failed = "checksum" in part and not part["checksum"]["ok"]
    check = ' <b class="bad">check WRONG</b>' if failed else ""
    drawn = _drawing(part, place, band) if band else ""
    return (
        f'<tr role="row" class="{sort_of(part["kind"])}">'
        f'<td role="cell" class="at">{drawn}<code>{address(part["offset"])}</code></td>'
        f'<th role="rowheader" scope="row">{link(place, kind)}</th>'
        f'<td role="cell" class="num">{part["size"]:,}</td>'
        f'<td role="cell" class="what"><span class="note">{contents}{check}</span>'
        f'<div class="tip"><p>{kind}</p>{definitions(basics(part, whole))}</div></td></tr>'
    )


def _drawing(part: Mapping[str, Any], place: str, band: str) -> str:
    """The drawing of a part, as tall as the whole table: its band and its stretch of the strip, as a link."""
    end = part["offset"] + part["size"]
    title = f"{part['kind']}, {address(part['offset'])} to {address(end)}, {bytes_and_units(part['size'])}"
    return (
        f'<svg class="band" viewBox="0 0 100 {_HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f'<a href="#{place}" tabindex="-1"><title>{escaped(title)}</title>{band}</a></svg>'
    )


def _band(number: int, count: int, part: Mapping[str, Any], whole: int) -> str:
    """The stretch of the strip, and what leads from there to the row."""
    top, bottom = (_scaled(place, whole) for place in (part["offset"], part["offset"] + part["size"]))
    row_top, row_bottom = (_scaled(at, count) for at in (number, number + 1))
    flow = (
        f"M{_STRIP} {top}C{_BEND} {top} {_BEND} {row_top} 100 {row_top}V{row_bottom}"
        f"C{_BEND} {row_bottom} {_BEND} {bottom} {_STRIP} {bottom}Z"
    )
    return f'<path class="flow" d="{flow}"/><path class="slice" d="M0 {top}H{_STRIP}V{bottom}H0Z"/>'


def _ticks(whole: int) -> str:
    step = 16
    while whole // step > _MOST_TICKS:
        step *= 2
    places = [place for place in range(0, whole, step) if whole - place > step // 2]
    return "".join(
        f'<span style="top:{100 * place / whole if whole else 0:.3f}%">{address(place)}</span>'
        for place in [*places, whole]
    )


def _legend(parts: Sequence[Mapping[str, Any]], whole: int) -> str:
    """What colours stand for, and how much of the file each takes."""
    kinds: dict[str, dict[str, None]] = {}
    sizes: dict[str, int] = {}
    for part in parts:
        sort = sort_of(part["kind"])
        kinds.setdefault(sort, {})[part["kind"]] = None
        sizes[sort] = sizes.get(sort, 0) + part["size"]
    items = "".join(
        f'<li class="{sort}"><i aria-hidden="true"></i><span>{escaped(", ".join(names))}</span>'
        f"<small>{bytes_and_units(sizes[sort])}, {_share(sizes[sort], whole)}</small></li>"
        for sort, names in kinds.items()
    )
    return f'<ul class="legend" aria-label="Legend">{items}</ul>'
