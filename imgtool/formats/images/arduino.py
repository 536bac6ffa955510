"""Arduino firmware: the core's boot loader eboot at 0, 0xAA fill, and the application's image at 0x1000.

One file for flash offset 0.  From core 2.6 on two words hold the file's length and a CRC over all of it: at
0xFF8 (core 2.x, in the fill) or at 0x1010 (core 3.x, inside the application).  Not an image that the boot ROM
loads as a whole: it loads eboot, and eboot the application.

Source: tools/elf2bin.py and bootloaders/eboot of https://github.com/esp8266/Arduino, confirmed on real images
of cores 2.x and 3.x; see docs/formats/arduino.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from construct import Int32ul, Struct

from imgtool.chip import IROM_BASE
from imgtool.errors import FormatError
from imgtool.formats import fill, firmware
from imgtool.formats.checksums import crc32_mpeg2, xor8
from imgtool.formats.images import version1
from imgtool.formats.images.version1 import BootImage
from imgtool.formats.reading import Checksum, Cover, FileKind, Finding, Part, PartKind, Reading, Severity
from imgtool.formats.wire import built, parse_at

if TYPE_CHECKING:
    from imgtool.formats.images.version1 import ImageScan
    from imgtool.formats.reading import Header

__all__ = ["APP_OFFSET", "EBOOT_ADDRESS", "WORD_OFFSETS", "ArduinoImage", "Words", "crc_of", "inside", "read"]

APP_OFFSET: Final = 0x1000
EBOOT_ADDRESS: Final = 0x4010_F000
"""Where eboot's code loads: the cache half of IRAM, out of the application's way."""

WORD_OFFSETS: Final = (0xFF8, 0x1010)
"""Where the length and CRC words stand: core 2.x, core 3.x."""

_FIRST_SEGMENT = Struct(
    "header" / Int32ul[2],
    "address" / Int32ul,
    "size" / Int32ul,
)
_WORDS = Struct(
    "length" / Int32ul,
    "crc" / Int32ul,
)
_NO_WORDS: Final = bytes(_WORDS.sizeof())
_FILL: Final = 0xAA
# The application is linked to run right behind its first segment's header.
_APP_ADDRESS: Final = IROM_BASE + APP_OFFSET + _FIRST_SEGMENT.sizeof()
# A stretch of fill that tells Arduino's layout even where eboot's own header is damaged.
_SURE_FILL: Final = 16
# Fewer bytes than this that are not fill are damage to the fill, not two words.
_LEAST_WORD_BYTES: Final = 3
_MOST_FLASH: Final = 0x100_0000
_HEADER_BYTES: Final = slice(2, 4)  # flash mode, size and frequency


class Words(NamedTuple):
    """The length and CRC words.

    Attributes:
        offset: Where they stand, one of :data:`WORD_OFFSETS`.
        length: Bytes of the file, by its own account.
        crc: CRC over those bytes, these words taken as zero.
    """

    offset: int
    length: int
    crc: int

    @classmethod
    def parse(cls, data: bytes, offset: int) -> Words:
        """Read the words at ``offset``.

        Raises:
            FormatError: The file ends before them.
        """
        fields = parse_at(_WORDS, data, offset, "length and CRC words")
        return cls(offset, fields.length, fields.crc)

    def build(self) -> bytes:
        """The words as bytes.

        Raises:
            FormatError: A number of more than 32 bits.
        """
        return built(_WORDS, {"length": self.length, "crc": self.crc}, "length and CRC words")

    @property
    def end(self) -> int:
        """Offset behind them."""
        return self.offset + _WORDS.sizeof()


class ArduinoImage(NamedTuple):
    """Arduino firmware as values.

    Attributes:
        eboot: The boot loader.
        app: The application.  Where the words stand in it, its first segment begins with eight zero bytes in
            their place, and its checksum is over those, as core 3.x computes it.
        words_offset: Where the words stand, one of :data:`WORD_OFFSETS`; None where there are none.
        stored_length: The length word in the file; None stands for the right one.
        stored_crc: The CRC word in the file; None stands for the right one.
    """

    eboot: BootImage
    app: BootImage
    words_offset: int | None = None
    stored_length: int | None = None
    stored_crc: int | None = None

    @classmethod
    def parse(cls, data: bytes) -> ArduinoImage:
        """Read eboot, fill, the words if there are any, and the application; bytes behind it are ignored.

        The checks are read, not judged.

        Raises:
            FormatError: eboot or the application is not whole, or something else stands between them.
        """
        eboot, app = BootImage.parse(data), BootImage.parse(data, APP_OFFSET)
        words = _find_words(data, version1.scan(data, APP_OFFSET))
        stop = APP_OFFSET if words is None else min(words.offset, APP_OFFSET)
        fill.expect(data, version1.scan(data).end, stop, _FILL)
        if words is None:
            return cls(eboot, app)
        if words.offset > APP_OFFSET:
            app = BootImage.parse(data[: words.offset] + _NO_WORDS + data[words.end :], APP_OFFSET)
        return cls(eboot, app, words.offset, words.length, words.crc)

    def build(self) -> bytes:
        """The file as bytes, with its stored words or the right ones.

        Raises:
            FormatError: eboot reaches into the words or the application, or there is no place for the words.
        """
        body = self._body()
        words = self._words(body)
        return body if words is None else body[: words.offset] + words.build() + body[words.end :]

    @property
    def words(self) -> Words | None:
        """The words as they are stored, or the right ones; None where there are none.

        Raises:
            FormatError: As :meth:`build`.
        """
        return self._words(self._body())

    def _words(self, body: bytes) -> Words | None:
        if self.words_offset is None:
            return None
        crc = crc_of(body, self.words_offset, len(body)) if self.stored_crc is None else self.stored_crc
        return Words(self.words_offset, len(body) if self.stored_length is None else self.stored_length, crc)

    def _body(self) -> bytes:
        """The file with zeros in the place of the words."""
        offset, eboot, app = self.words_offset, self.eboot.build(), self.app.build()
        stated = self.stored_length is not None or self.stored_crc is not None
        if offset is None and stated:
            raise FormatError("words are stated, but no place for them")
        if offset not in (None, *WORD_OFFSETS):
            expected = " or ".join(f"0x{place:04x}" for place in WORD_OFFSETS)
            raise FormatError("no words stand there", expected=expected, found=f"0x{offset:04x}")
        if offset == WORD_OFFSETS[0]:
            return fill.padded(eboot, offset, "eboot reaches into the words", value=_FILL) + _NO_WORDS + app
        first = self.app.segments[0].data[: len(_NO_WORDS)] if self.app.segments else b""
        if offset is not None and first != _NO_WORDS:
            message = "the application leaves no place for the words"
            expected, found = _NO_WORDS.hex(" "), first.hex(" ") or None
            raise FormatError(message, offset=offset, expected=expected, found=found)
        return fill.padded(eboot, APP_OFFSET, "eboot reaches into the application", value=_FILL) + app


def crc_of(data: bytes, offset: int, length: int) -> int:
    """The CRC of the first ``length`` bytes with the words at ``offset`` taken as zero."""
    view = memoryview(data)
    return crc32_mpeg2((view[:offset], _NO_WORDS, view[offset + len(_NO_WORDS) : length]))


def _first_address(data: bytes, offset: int) -> int | None:
    """Load address of the first segment of the version-1 image at ``offset``."""
    if data[offset : offset + 1] != bytes([version1.MAGIC]):
        return None
    try:
        address: int = parse_at(_FIRST_SEGMENT, data, offset, "first segment").address
    except FormatError:
        return None
    return address


def _is_arduino(data: bytes) -> bool:
    """Whether eboot is at 0, or what stands around the place for the application leaves no doubt."""
    if _first_address(data, 0) == EBOOT_ADDRESS:
        return True
    sure = fill.is_fill(data, WORD_OFFSETS[0] - _SURE_FILL, WORD_OFFSETS[0], _FILL)
    return len(data) > APP_OFFSET and sure and _first_address(data, APP_OFFSET) == _APP_ADDRESS


def read(data: bytes) -> Reading | None:
    """Read a file as eboot and an application, whole or damaged, with whatever follows it."""
    if not _is_arduino(data):
        return None
    loader, header, findings = _eboot(data)
    if len(data) <= APP_OFFSET:
        parts, app_findings = (loader, *_fill_parts(data, loader.end, len(data))), [_no_app(data)]
    else:
        body, app_findings = _application(data, loader.end)
        parts = (loader, *body)
    app_findings += _fill_findings(data, parts)
    named = firmware.arduino_firmware(data)
    return Reading(FileKind.ARDUINO, parts, header, (*findings, *app_findings), firmware=named)


def inside(data: bytes, offset: int, stop: int) -> Reading | None:
    """Read an update that begins at ``offset`` of a flash: eboot and application, as far as those reach."""
    if _first_address(data, offset) != EBOOT_ADDRESS:
        return None
    reading = read(data[offset:stop])
    ends = [] if reading is None else [part.end for part in reading.parts if part.kind is PartKind.APP]
    if reading is None or not ends:
        return None
    parts = tuple(part for part in reading.parts if part.end <= ends[-1])
    findings = tuple(each for each in reading.findings if (each.offset or 0) < ends[-1])
    return reading._replace(parts=parts, findings=findings).moved(offset)


def _eboot(data: bytes) -> tuple[Part, Header | None, list[Finding]]:
    """The boot loader as a part, its header, and what is to be said of it."""
    stop = min(len(data), WORD_OFFSETS[0])
    try:
        found = version1.scan(data)
    except FormatError:
        end = max(1, fill.run_start(data, 0, stop, _FILL))
        message = "eboot's header is damaged: the boot ROM does not load this file"
        return (
            Part(PartKind.BOOTLOADER, 0, end, note="eboot"),
            None,
            [Finding(Severity.ERROR, "eboot", message, 0)],
        )
    part = replace(version1.part_of(found), kind=PartKind.BOOTLOADER, note="eboot")
    findings = [*version1.findings_of(found)]
    if found.problem is not None or found.end > APP_OFFSET:
        if found.problem is None:
            message = f"eboot reaches to 0x{found.end:05x}, into the application"
            findings.append(Finding(Severity.ERROR, "eboot", message, 0))
        part = replace(part, size=max(1, fill.run_start(data, 0, stop, _FILL)))
    return part, found.header, findings


def _no_app(data: bytes) -> Finding:
    message = (
        f"the file is cut: the application begins at 0x{APP_OFFSET:05x}, the file ends at 0x{len(data):05x}"
    )
    return Finding(Severity.ERROR, "cut", message, len(data))


def _fill_parts(data: bytes, start: int, stop: int) -> tuple[Part, ...]:
    if start >= stop:
        return ()
    pure = fill.is_fill(data, start, stop, _FILL)
    note = f"filled with 0x{_FILL:02X}" if pure else f"not only 0x{_FILL:02X}"
    return (Part(PartKind.GAP, start, stop - start, note=note),)


def _fill_findings(data: bytes, parts: tuple[Part, ...]) -> list[Finding]:
    findings = []
    for part in parts:
        if part.kind is PartKind.GAP and part.offset < APP_OFFSET:
            wrong = fill.run_end(data, part.offset, part.end, _FILL)
            if wrong < part.end:
                message = f"the fill behind eboot is not all 0x{_FILL:02x}"
                findings.append(Finding(Severity.WARNING, "gap", message, wrong))
    return findings


def _application(data: bytes, eboot_end: int) -> tuple[tuple[Part, ...], list[Finding]]:
    """What stands behind eboot: fill, words, application and anything more."""
    try:
        app = version1.scan(data, APP_OFFSET)
    except FormatError as problem:
        app = None
        cut = len(data) < APP_OFFSET + 8  # the header does not fit
        message = "the application's header is " + ("cut" if cut else "damaged: it does not begin with 0xe9")
        findings = [Finding(Severity.ERROR, "cut" if cut else "app", message, problem.offset)]
    else:
        findings = []
    words = _find_words(data, app)
    if app is not None and words is not None and words.offset > APP_OFFSET:
        app = _with_words_zeroed(data, app, words)
    if app is not None:
        # The boot ROM reads eboot's header; the application's repeats it and nobody reads it.
        findings += [f for f in version1.findings_of(app, APP_OFFSET) if not f.code.startswith("flash-")]
    end = len(data) if app is None or app.problem is not None else app.end
    if words is None:
        parts = (*_fill_parts(data, eboot_end, APP_OFFSET), *_app_parts(app, end))
        message = (
            "no length and no CRC: only the checksums over eboot's and the application's segments cover it"
        )
        findings.append(Finding(Severity.NOTE, "no-crc", message))
    else:
        check, crc_findings, end = _judge(data, app, words)
        findings += crc_findings
        parts = _parts_with_words(data, eboot_end, app, words, check)
    covered = () if parts[-1].end >= end else (_covered(parts[-1].end, end),)
    tail, about_tail = version1.trailing(data, end)
    return (*parts, *covered, *tail), [*findings, *about_tail]


def _covered(start: int, end: int) -> Part:
    return Part(PartKind.UNKNOWN, start, end - start, note="behind the application, covered by the CRC")


def _app_parts(app: ImageScan | None, end: int, start: int = APP_OFFSET) -> tuple[Part, ...]:
    address = IROM_BASE + start
    if start >= end:
        return ()
    if app is None:
        return (Part(PartKind.APP, start, end - start, address, note="damaged"),)
    part = replace(version1.part_of(app, APP_OFFSET), kind=PartKind.APP, address=address)
    return (replace(part, offset=start, size=end - start),)


def _parts_with_words(
    data: bytes, eboot_end: int, app: ImageScan | None, words: Words, check: Checksum
) -> tuple[Part, ...]:
    end = len(data) if app is None or app.problem is not None else app.end
    inside = words.offset > APP_OFFSET
    part = Part(
        PartKind.LENGTH_CRC_WORDS,
        words.offset,
        _WORDS.sizeof(),
        IROM_BASE + words.offset if inside else None,
        checksum=check,
        note="covers the whole file",
        value=words,
    )
    if not inside:
        return (*_fill_parts(data, eboot_end, words.offset), part, *_app_parts(app, end))
    head = Part(
        PartKind.APP,
        APP_OFFSET,
        words.offset - APP_OFFSET,
        IROM_BASE + APP_OFFSET,
        note="image header and first segment's header",
    )
    return (
        *_fill_parts(data, eboot_end, APP_OFFSET),
        head,
        part,
        *_app_parts(app, end, part.end),
    )


def _with_words_zeroed(data: bytes, app: ImageScan, words: Words) -> ImageScan:
    """The scan with the checksum that core 3.x computes before it writes the words into that segment."""
    if app.checksum is None:
        return app
    computed = xor8([data[words.offset : words.end]], app.checksum.computed)
    cover = app.checksum.cover
    if cover is not None:
        cover = cover._replace(zeroed=(words.offset, words.end))
    return app._replace(checksum=app.checksum._replace(computed=computed, cover=cover))


def _find_words(data: bytes, app: ImageScan | None) -> Words | None:
    """The length and CRC words, also where one of them or something else is damaged.

    Nothing marks them: they count if the length is right, or the CRC, or if what stands there cannot be
    anything else.
    """
    candidates = []
    for offset in WORD_OFFSETS:
        try:
            candidates.append(Words.parse(data, offset))
        except FormatError:
            break
    for words in candidates:
        if _proves_itself(data, app, words):
            return words
    for words in candidates:
        if words.offset < APP_OFFSET:
            stored = data[words.offset : words.end]
            if len(stored) - stored.count(_FILL) >= _LEAST_WORD_BYTES:
                return words
        elif _only_with_words(data, app, words):
            return words
    return None


def _proves_itself(data: bytes, app: ImageScan | None, words: Words) -> bool:
    whole = app is not None and app.problem is None
    lengths = {len(data), app.end if app is not None and whole else len(data)}
    if words.length in lengths:
        return True
    if words.end <= words.length < len(data):
        lengths.add(words.length)
    return any(crc_of(data, words.offset, length) == words.crc for length in lengths)


def _only_with_words(data: bytes, app: ImageScan | None, words: Words) -> bool:
    """Whether the first eight bytes of the application's first segment must be the words of core 3.x."""
    if app is None:
        return False
    if app.checksum is not None:
        zeroed = _with_words_zeroed(data, app, words).checksum
        return not app.checksum.ok and zeroed is not None and zeroed.ok
    # A cut file: the first segment is code, and its first word no believable length unless it is one.
    least = app.segments[0].offset + app.segments[0].size if app.segments else words.end
    return app.problem is not None and max(least, len(data)) < words.length <= _MOST_FLASH


def _judge(data: bytes, app: ImageScan | None, words: Words) -> tuple[Checksum, list[Finding], int]:
    """The CRC, what is to be said of the words, and where what they cover ends."""
    whole = app is not None and app.problem is None
    end = app.end if app is not None and whole else len(data)
    if words.end <= words.length <= len(data):
        check = _check(data, words, words.length)
        if check.ok:
            return check, [], max(words.length, end)
    check = _check(data, words, end)
    findings = []
    if not whole and words.length > len(data):
        message = (
            f"the file is cut: by its length word it has {words.length:,} bytes, {len(data):,} are there"
        )
        return check, [Finding(Severity.ERROR, "cut", message, len(data))], end
    if words.length != end:
        message = f"the length word says {words.length:,} bytes, but the image has {end:,}"
        findings.append(Finding(Severity.ERROR, "length", message, words.offset))
    if not check.ok:
        message = f"the CRC is 0x{check.stored:08x}, but the bytes give 0x{check.computed:08x}"
        if _patched(data, words, end):
            message += "; it would be right with the application's flash mode and size in eboot's header"
        findings.append(Finding(Severity.ERROR, "crc", message, words.offset + 4))
    return check, findings, end


def _check(data: bytes, words: Words, length: int) -> Checksum:
    """The CRC over the first ``length`` bytes beside the stored one."""
    cover = Cover(words.offset + 4, ((0, length),), (words.offset, words.end))
    return Checksum("crc32-mpeg2", words.crc, crc_of(data, words.offset, length), 32, cover)


def _patched(data: bytes, words: Words, length: int) -> bool:
    """Whether the header bytes that flashing tools rewrite are all that is different.

    The core writes the same two bytes into both headers, and flashing tools change only the first.
    """
    other = data[APP_OFFSET + _HEADER_BYTES.start : APP_OFFSET + _HEADER_BYTES.stop]
    if other == data[_HEADER_BYTES]:
        return False
    restored = data[: _HEADER_BYTES.start] + other + data[_HEADER_BYTES.stop :]
    return crc_of(restored, words.offset, length) == words.crc
