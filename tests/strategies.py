"""Hypothesis strategies for ESP8266 images and their parts."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from hypothesis import Phase
from hypothesis import strategies as st

from imgtool.formats.containers.blocks import Block
from imgtool.formats.containers.gzip_file import GzipMember
from imgtool.formats.containers.lfs import LfsImage
from imgtool.formats.containers.tuya import TuyaImage, TuyaOta
from imgtool.formats.elf.file import Executable, Section, Symbol
from imgtool.formats.filesystems.espfs import EspFs, EspFsFile
from imgtool.formats.images import arduino
from imgtool.formats.images.aggregated import AggregatedImage
from imgtool.formats.images.arduino import ArduinoImage
from imgtool.formats.images.at_user import UserImage
from imgtool.formats.images.irom import OFFSETS
from imgtool.formats.images.micropython import MicropythonImage
from imgtool.formats.images.rtos_app import AppDescription, RtosApp
from imgtool.formats.images.version1 import BootImage, Segment
from imgtool.formats.images.version2 import OtaImage
from imgtool.formats.regions.init_data import FIELDS, InitData
from imgtool.formats.regions.nodemcu_page import Record, RecordPage
from imgtool.formats.regions.rboot_config import RbootConfig
from imgtool.formats.regions.rtos_otadata import OtaData, OtaEntry
from imgtool.formats.regions.rtos_partitions import Partition, RtosPartitionTable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NO_SHRINKING: Final = (Phase.explicit, Phase.reuse, Phase.generate)
"""For laws about whole flashes: making a failing example smaller would take minutes."""

BYTE: Final = st.integers(0, 0xFF)
WORD: Final = st.integers(0, 0xFFFF_FFFF)
IRAM_ADDRESS: Final = st.integers(0x4010_0000 // 4, 0x4010_7FFF // 4).map(lambda word: word * 4)

SEGMENTS: Final = st.lists(st.builds(Segment, WORD, st.binary(max_size=200)), max_size=16).map(tuple)

BOOT_IMAGES: Final = st.builds(
    BootImage,
    mode_code=BYTE,
    size_freq_code=BYTE,
    entry=WORD,
    segments=SEGMENTS,
    stored_checksum=BYTE,
)
"""Any image that the layout allows, also ones that make no sense to the chip."""

# Boot loaders are told by their texts, and hypothesis tries the texts that it finds in the code.
_TEXT: Final = re.compile(rb"[ -~]{9}")
_CODE: Final = st.binary(min_size=1, max_size=200).filter(lambda data: _TEXT.search(data) is None)

LOADABLE_IMAGES: Final = st.builds(
    BootImage,
    mode_code=st.integers(0, 3),
    size_freq_code=st.sampled_from([0x00, 0x20, 0x30, 0x4F, 0x91]),
    entry=IRAM_ADDRESS,
    segments=st.lists(st.builds(Segment, IRAM_ADDRESS, _CODE), min_size=1, max_size=4).map(tuple),
    stored_checksum=st.none(),
).map(lambda image: image._replace(entry=image.segments[0].address))
"""Images that the boot ROM would load, with the right checksum."""


CHECKED_IMAGES: Final = LOADABLE_IMAGES.map(lambda image: image._replace(stored_checksum=image.checksum))
"""The same with that checksum stated, as it is parsed."""


def images_with(address: int, data: bytes) -> st.SearchStrategy[BootImage]:
    """Images that the boot ROM would load, with one segment more before the others."""

    def with_segment(image: BootImage) -> BootImage:
        longer = image._replace(segments=(Segment(address, data), *image.segments), stored_checksum=None)
        return longer._replace(stored_checksum=longer.checksum)

    return LOADABLE_IMAGES.map(with_segment)


def _with_crc(image: OtaImage) -> OtaImage:
    return OtaImage(
        image.mode_code, image.size_freq_or_slot, image.entry, image.irom, image.boot, stored_crc=image.crc
    )


OTA_IMAGES: Final = st.builds(
    OtaImage,
    mode_code=BYTE,
    size_freq_or_slot=BYTE,
    entry=IRAM_ADDRESS,
    # The packers pad irom to 16 bytes.
    irom=st.binary(max_size=300).map(lambda data: data.ljust(-(-len(data) // 16) * 16, b"\0")),
    boot=LOADABLE_IMAGES.map(lambda image: BootImage.parse(image.build())),
).map(lambda image: _with_crc(replace(image, entry=image.boot.entry)))

_PAYLOADS: Final = st.integers(0, 64).flatmap(lambda words: st.binary(min_size=4 * words, max_size=4 * words))


def _laid_out(items: list[tuple[int, bytes]]) -> RecordPage:
    records: list[Record] = []
    offset = 0
    for number, payload in items:
        records.append(Record(offset, number, payload))
        offset += 4 + len(payload)
    return RecordPage(tuple(records))


RECORD_PAGES: Final = st.lists(st.tuples(st.integers(0, 6), _PAYLOADS), max_size=15).map(_laid_out)


_VALUES: Final[st.SearchStrategy[Mapping[str, int | bytes]]] = st.fixed_dictionaries(
    {
        field.name: (
            st.binary(min_size=len(field.default), max_size=len(field.default))
            if len(field.default) > 1
            else st.integers(-128, 127)
            if field.signed
            else BYTE
        )
        for field in FIELDS
    }
)

INIT_DATA: Final = _VALUES.map(InitData)

# --- files that hold images ------------------------------------------------------------------------

CODE: Final = st.binary(min_size=16, max_size=300).filter(
    lambda data: len(set(data[:16])) > 1 and _TEXT.search(data) is None
)
"""irom: anything that does not begin with fill."""

DIGESTS: Final = st.none() | st.binary(min_size=16, max_size=16)

AGGREGATED_IMAGES: Final = st.builds(AggregatedImage, CHECKED_IMAGES, CODE, st.sampled_from(OFFSETS), BYTE)

USER_IMAGES: Final = st.builds(UserImage, CHECKED_IMAGES, CODE, st.booleans())

_EBOOTS: Final = images_with(arduino.EBOOT_ADDRESS, b"eboot")
_SKETCHES: Final = images_with(0x4020_1010, bytes(8) + b"irom0")


def _with_words(image: ArduinoImage, words: tuple[int | None, int | None]) -> ArduinoImage:
    """Words that are right, or one of them not: where both are wrong, nothing tells that they are words."""
    right = image.words
    if right is None:
        return image
    length, crc = words
    return image._replace(
        stored_length=right.length if length is None else length,
        stored_crc=right.crc if crc is None or length is not None else crc,
    )


ARDUINO_IMAGES: Final = st.builds(
    ArduinoImage,
    _EBOOTS,
    _SKETCHES,
    st.sampled_from((None, *arduino.WORD_OFFSETS)),
    st.none(),
    st.none(),
).map(lambda image: _with_words(image, (None, None)))
ANY_ARDUINO_IMAGES: Final = st.builds(
    _with_words, ARDUINO_IMAGES, st.tuples(st.none() | WORD, st.none() | WORD)
)

ANY_MICROPYTHON_IMAGES: Final = st.builds(MicropythonImage, CHECKED_IMAGES, CODE, DIGESTS)
MICROPYTHON_IMAGES: Final = st.builds(
    lambda boot, code, early: (
        MicropythonImage(boot, code + b"MicroPython v1.4 on 2015-05-01")
        if early
        else MicropythonImage(boot, code, MicropythonImage(boot, code).md5)
    ),
    CHECKED_IMAGES,
    CODE,
    st.booleans(),
)

# --- RTOS SDK --------------------------------------------------------------------------------------


_ASCII: Final = "aZ09.-_:/!~"
_LETTERS: Final = _ASCII + " é漢"  # of one, two and three bytes; all of Unicode takes seconds to set up


def _text_of(most: int) -> st.SearchStrategy[str]:
    return st.text(_ASCII, max_size=most)


DESCRIPTIONS: Final = st.builds(
    AppDescription,
    project=_text_of(32),
    version=_text_of(32),
    built=st.tuples(_text_of(16), _text_of(16)).map(lambda both: " ".join(both).strip()),
    sdk=_text_of(32),
    elf_sha256=st.just("") | st.binary(min_size=32, max_size=32).filter(any).map(bytes.hex),
    secure_version=WORD,
)

ANY_RTOS_APPS: Final = st.builds(RtosApp, BOOT_IMAGES, st.none() | st.binary(min_size=32, max_size=32))
RTOS_APPS: Final = st.builds(
    lambda image, hashed: RtosApp(image, RtosApp(image).sha256 if hashed else None),
    DESCRIPTIONS.flatmap(lambda description: images_with(0x4021_0010, description.build())),
    st.booleans(),
)

_LABELS: Final = st.text(_LETTERS, max_size=16).filter(lambda text: len(text.encode()) <= 16)
PARTITION_TABLES: Final = st.builds(
    RtosPartitionTable,
    st.lists(st.builds(Partition, BYTE, BYTE, WORD, WORD, _LABELS, WORD), max_size=95).map(tuple),
    DIGESTS,
)


def _in_a_row(sectors: list[int]) -> RtosPartitionTable:
    partitions, offset = [], 0x9000
    for number, count in enumerate(sectors):
        partitions.append(Partition(1, 2, offset, 0x1000 * count, f"part{number}"))
        offset += 0x1000 * count
    table = RtosPartitionTable(tuple(partitions))
    return replace(table, stored_md5=table.md5)


SENSIBLE_TABLES: Final = st.lists(st.integers(1, 64), min_size=1, max_size=8).map(_in_a_row)

OTADATA: Final = st.builds(
    lambda first, second: OtaData((first, second)),
    st.builds(OtaEntry, WORD, WORD),
    st.builds(OtaEntry, WORD, WORD),
)
_UPDATES: Final = st.integers(1, 0xFFFF_FFFE).map(lambda number: OtaEntry(number, OtaEntry(number).crc))
SENSIBLE_OTADATA: Final = st.builds(
    lambda first, second: OtaData((first, second)),
    _UPDATES,
    _UPDATES | st.just(OtaEntry(0xFFFF_FFFF, 0xFFFF_FFFF)),
)

# --- other files -----------------------------------------------------------------------------------

RBOOT_CONFIGS: Final = st.builds(
    lambda roms, stored: RbootConfig(
        mode=1, current_rom=2, gpio_rom=3, count=len(roms), roms=tuple(roms), stored_checksum=stored
    ),
    st.lists(WORD, min_size=4, max_size=9),
    st.sampled_from([None, 0x55]),
)


@st.composite
def block_lists(draw: Callable[..., Any]) -> tuple[Block, ...]:
    position, found = draw(st.sampled_from([0, 0xFFF0, 0x1FFFFF, 0xFFFE0000])), []
    for gap, data in draw(st.lists(st.tuples(st.integers(0, 0x3000), st.binary(max_size=700)), max_size=5)):
        found.append(Block(position + gap, data))
        position += gap + len(data)
    return tuple(found)


@st.composite
def lfs_images(draw: Callable[..., Any]) -> LfsImage:
    body = draw(st.binary(max_size=300)) + bytes(24)
    body = body[: len(body) // 4 * 4]
    signature = 0xFAFA_A150 + draw(st.integers(0, 15))
    image = signature.to_bytes(4, "little") + (len(body) + 8).to_bytes(4, "little") + body
    size = 0 if signature & 1 else -(-len(image) // 128) * 4
    return LfsImage(image, draw(st.binary(min_size=size, max_size=size)))


GZIP_MEMBERS: Final = st.builds(
    GzipMember,
    st.text(_ASCII + " é"),
    st.binary(max_size=3000),
)

TUYA_FILES: Final = st.builds(
    TuyaOta,
    _text_of(14),
    st.lists(st.builds(TuyaImage, OTA_IMAGES, WORD), min_size=1, max_size=3).map(tuple),
    WORD,
)
SENSIBLE_TUYA_FILES: Final = st.builds(
    TuyaOta.of, _text_of(14), st.lists(OTA_IMAGES, min_size=1, max_size=3).map(tuple)
)

ESPFS_ARCHIVES: Final = st.lists(
    st.builds(
        EspFsFile,
        st.text(_LETTERS, max_size=12),
        st.binary(max_size=100),
        WORD,
        st.sampled_from([None, "gzip", "heatshrink"]),
    ),
    max_size=6,
).map(lambda files: EspFs(tuple(files)))

_NAMES: Final = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
_ADDRESSES: Final = st.integers(0, 0xFFFF_FF00)
EXECUTABLES: Final = st.builds(
    Executable,
    st.integers(0, 0xFFFF_FFFF),
    st.lists(
        st.builds(Section, _NAMES, _ADDRESSES, st.binary(max_size=60), st.booleans(), st.booleans()),
        max_size=6,
    ).map(tuple),
    st.lists(st.builds(Symbol, _NAMES, st.integers(0, 0xFFFF_FFFF), st.booleans()), max_size=5).map(tuple),
)
