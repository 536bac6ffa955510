"""Hypothesis strategies for ESP8266 images and their parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hypothesis import Phase
from hypothesis import strategies as st

from imgtool.formats.boot_image import BootImage, Segment
from imgtool.formats.init_data import FIELDS, InitData
from imgtool.formats.nodemcu_page import Record, RecordPage
from imgtool.formats.ota_image import OtaImage

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_SHRINKING: Final = (Phase.explicit, Phase.reuse, Phase.generate)
"""For laws about whole flashes: making a failing example smaller would take minutes."""

BYTE: Final = st.integers(0, 0xFF)
WORD: Final = st.integers(0, 0xFFFF_FFFF)
IRAM_ADDRESS: Final = st.integers(0x4010_0000, 0x4010_7FFF)

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

LOADABLE_IMAGES: Final = st.builds(
    BootImage,
    mode_code=st.integers(0, 3),
    size_freq_code=st.sampled_from([0x00, 0x20, 0x30, 0x4F, 0x91]),
    entry=IRAM_ADDRESS,
    segments=st.lists(
        st.builds(Segment, IRAM_ADDRESS, st.binary(min_size=1, max_size=200)), min_size=1, max_size=4
    ).map(tuple),
)
"""Images that the boot ROM would load, with the right checksum."""


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
).map(_with_crc)

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
