"""Pages read back by html.parser: what is in them, and whether they are as HTML wants them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

VOID: Final = frozenset({"meta", "wbr", "br"})
# What stands within a line.
RUNNING: Final = frozenset({"a", "b", "code", "small"})
# All that a page is made of; what is not in here came from somewhere else.
ELEMENTS: Final = frozenset(
    re.findall(
        r"\w+",
        "html head meta title style body header main nav footer article section figure figcaption "
        "h1 h2 h3 h4 h5 h6 p a b i code small span div dl dt dd ul li "
        "table thead tbody tr th td svg path wbr details summary",
    )
)
ATTRIBUTES: Final = frozenset(
    re.findall(
        r"\S+",
        "lang charset http-equiv content name class id href style aria-label aria-hidden role scope "
        "tabindex open viewbox preserveaspectratio d",
    )
)


class Page(HTMLParser):
    """What is on a page.

    Attributes:
        tags: Every element in order.
        ids: Every id.
        links: Where links lead.
        errors: What is not well formed: wrong nesting, unknown elements and attributes, ids used twice.
        text: All text but that of the style sheet.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.errors: list[str] = []
        self._open: list[str] = []
        self._text: list[str] = []
        self.feed(page)
        self.close()
        self.errors += [f"{tag} is not closed" for tag in self._open]
        self.errors += [f"{each} leads nowhere" for each in self.links if each[1:] not in self.ids]
        self.errors += [f"{each} stands twice" for each in set(self.ids) if self.ids.count(each) > 1]
        self.errors += [f"U+{ord(char):04X} in the page" for char in set(_FORBIDDEN.findall(page))]

    @property
    def text(self) -> str:
        """All text, blanks and line ends as one blank."""
        return " ".join("".join(self._text).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ELEMENTS:
            self.errors.append(f"<{tag}>")
        if tag not in VOID:
            self._open.append(tag)
        for name, value in attrs:
            if name not in ATTRIBUTES:
                self.errors.append(f"<{tag} {name}>")
            if name == "style" and not re.fullmatch(r"top:\d+\.\d+%", value or ""):
                self.errors.append(f"style {value}")
            if name == "id":
                self.ids.append(value or "")
            if name == "href":
                self.links.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        self._text.append("" if tag in RUNNING else " ")
        if not self._open or self._open.pop() != tag:
            self.errors.append(f"</{tag}> out of place")

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self._text.append(data)

    def handle_comment(self, data: str) -> None:
        self.errors.append(f"comment {data}")


# Control characters, surrogates and the rest that a document must not hold; U+000A is the line end.
_FORBIDDEN: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\u202a-\u202e]"
)
