"""What each kind of file is: its words, where it may stand in a flash, what the commands make of it.

One row a kind, and the only place that lists kinds: everybody else asks a row.  Not recognition, which is
each format's own, and no verdict: whether a file may stand at an address beside others is judged in
operations/assemble/places.py.  Sources: docs/formats/kinds.md, which a test holds to these rows.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.formats.reading import FileKind, PartKind

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KINDS", "Headers", "KindRow", "Spot", "Starter"]


class Starter(StrEnum):
    """What starts the firmware in a flash; that follows from what stands at address 0."""

    ROM = "the boot ROM"
    SDK = "Espressif's boot loader"
    RBOOT = "rBoot"
    EBOOT = "the Arduino core's boot loader"
    RTOS = "the boot loader of the RTOS SDK"


class Spot(StrEnum):
    """A place in a flash where a file may stand, in words."""

    START = "0x00000"
    SLOT = "a slot of a boot loader"
    LINKED = "the address that it is linked for"
    REGION = "its region of the firmware's layout"
    FIXED = "the address at which its reader looks"
    STAGED = "the free flash behind the sketch, for an update"
    ANYWHERE = "anywhere behind the firmware"


class Headers(Enum):
    """Which image headers of a file follow a change of mode, frequency and size."""

    FIRST = "the one at its start"
    BOTH = "that of the boot loader, and that of the application at 0x1000"
    INNER = "that of the inner image, and the outer one where it repeats it"
    SLOTTED = "none where it states a user slot, else the one at its start"


class KindRow(NamedTuple):
    """What a kind of file is; always made with keywords.

    A tuple, as the table is made at every start of ``inspect``, and a dataclass takes twice the time.

    Attributes:
        words: Its words for people.
        spots: Where it may stand in a flash; none for what no flash holds as it is.
        belongs: The same for people, as the cure of a wrong place; empty where its bytes tell the place.
        place_name: The name that the commands know that place by; empty where there is none.
        address: The address at which its reader looks, for :attr:`Spot.FIXED`.
        region: The region of a layout that it goes to, for :attr:`Spot.REGION`.
        brings: Who starts what stands behind it, where it stands at address 0.
        started_by: Who can start it, or reads it.
        at_start: Whether it begins at flash address 0, so that its offsets are flash addresses.
        may_be_dump: Whether it may have been read out of a flash, as nothing has to stand at its start.
        has_layout: Whether it holds image and irom of a firmware on the non-OS SDK, whose layout is known.
        open_end: Whether its last part is irom of which nothing tells the end.
        other_half: Usual name of the file that makes a firmware of it; empty where there is none.
        of_firmware: Whether it belongs to the firmware of an image at 0 that it stands behind.
        holds_firmware: Whether strings in it name a firmware that would run.
        foreign: Whether it is no ESP8266 artefact at all.
        wraps: Whether its contents are another file, which is read in its turn.
        packs: Whether it may hold several files.
        own_checks: Whether its records have checks of their own.
        no_content: Why its bytes are not what a flash holds; empty where they are.
        no_start: Why the chip cannot boot from it, where it is no image and no flash content either.
        no_layout: Why imgtool makes no image of a whole flash of it; empty where its place says that.
        closed: Why it cannot be patched in place; empty where it can.
        headers: Which image headers a patch changes.
        esp32_sizes: Whether its header states the flash size by the ESP32's table.
        owns_sectors: Whether the rest of its last sector is its own, and may be erased.
        cure: What to do about such a file that was taken for firmware; empty where nothing is known.
        builds: Whether an image can be built from it.
        compiled_in: Whether its firmware has init data compiled in, and uses none in the flash.
    """

    words: str
    spots: tuple[Spot, ...] = ()
    belongs: str = ""
    place_name: str = ""
    address: int | None = None
    region: PartKind | None = None
    brings: Starter | None = None
    started_by: tuple[Starter, ...] = ()
    at_start: bool = False
    may_be_dump: bool = False
    has_layout: bool = False
    open_end: bool = False
    other_half: str = ""
    of_firmware: bool = False
    holds_firmware: bool = True
    foreign: bool = False
    wraps: bool = False
    packs: bool = False
    own_checks: bool = False
    no_content: str = ""
    no_start: str = ""
    no_layout: str = ""
    closed: str = ""
    headers: Headers = Headers.FIRST
    esp32_sizes: bool = False
    owns_sectors: bool = True
    cure: str = ""
    builds: bool = False
    compiled_in: bool = False

    @property
    def only_at_start(self) -> bool:
        """Whether it starts from address 0; elsewhere it needs somebody who reads it."""
        return Spot.START in self.spots and Spot.SLOT not in self.spots

    @property
    def never_at_start(self) -> bool:
        """Whether it has a place, and that is not address 0."""
        return bool(self.spots) and not self.no_start and Spot.START not in self.spots

    @property
    def sdk_start(self) -> bool:
        """Whether it is the image for 0 of a firmware on the non-OS SDK, alone or with its irom."""
        return self.at_start and self.brings is Starter.ROM and bool(self.open_end or self.other_half)

    @property
    def first_half(self) -> bool:
        """Whether it is the half for 0 of such a firmware, without its irom."""
        return self.at_start and bool(self.other_half)

    @property
    def in_slot(self) -> bool:
        """Whether a boot loader starts it from a slot."""
        return Spot.SLOT in self.spots

    @property
    def in_sectors(self) -> bool:
        """Whether it is looked for at the start of a sector alone."""
        return bool({Spot.SLOT, Spot.FIXED, Spot.REGION} & {*self.spots})

    @property
    def bare(self) -> bool:
        """Whether nothing speaks against it in a sector that is the SDK's own: it may be a backup of that."""
        return self.may_be_dump or not self.owns_sectors

    @property
    def is_firmware(self) -> bool:
        """Whether something in a flash would start it."""
        return self.brings is not None or bool({Spot.SLOT, Spot.LINKED} & {*self.spots})

    @property
    def stored(self) -> bool:
        """Whether it is a file system or a Lua Flash Store, of which the firmware has a partition."""
        return self.region in (PartKind.SPIFFS, PartKind.LFS)


_RECORDS: Final = "its contents stand in records"
_BEHIND_LOADER: Final = "behind a boot loader"
_ALL: Final = (Spot.ANYWHERE,)

KINDS: Final[Mapping[FileKind, KindRow]] = MappingProxyType(
    {
        FileKind.IMAGE_V1: KindRow(
            words="version-1 image (E9)",
            spots=(Spot.START, Spot.SLOT),
            belongs="0x00000, or a slot of a boot loader",
            brings=Starter.ROM,
            started_by=(Starter.SDK, Starter.RBOOT, Starter.EBOOT),
            at_start=True,
            other_half="0x10000.bin",
            of_firmware=True,
        ),
        FileKind.IMAGE_V2: KindRow(
            words="version-2 image (EA, user1/user2)",
            spots=(Spot.SLOT,),
            belongs=f"0x01000 or another slot, {_BEHIND_LOADER}",
            started_by=(Starter.SDK, Starter.RBOOT),
            of_firmware=True,
            headers=Headers.INNER,
        ),
        FileKind.AGGREGATED: KindRow(
            words="aggregated firmware image",
            spots=(Spot.START,),
            brings=Starter.ROM,
            at_start=True,
            has_layout=True,
            open_end=True,
        ),
        FileKind.IROM: KindRow(
            words="raw irom part",
            spots=(Spot.LINKED,),
            started_by=(Starter.ROM, Starter.SDK, Starter.RBOOT),
            other_half="0x00000.bin",
            of_firmware=True,
        ),
        FileKind.ARDUINO: KindRow(
            words="Arduino firmware",
            spots=(Spot.START, Spot.STAGED),
            brings=Starter.EBOOT,
            started_by=(Starter.EBOOT,),
            at_start=True,
            headers=Headers.BOTH,
            compiled_in=True,
            no_layout="it has init data compiled in, and its build decides where its file system lies",
        ),
        FileKind.MICROPYTHON: KindRow(
            words="MicroPython firmware",
            spots=(Spot.START,),
            brings=Starter.ROM,
            at_start=True,
            no_layout="it writes init data and makes its file system by itself, at its first start",
        ),
        FileKind.RTOS_APP: KindRow(
            words="RTOS SDK application",
            spots=(Spot.SLOT,),
            belongs=f"0x10000 or another partition, {_BEHIND_LOADER}",
            started_by=(Starter.RTOS,),
            of_firmware=True,
            esp32_sizes=True,
            compiled_in=True,
        ),
        FileKind.RTOS_BOOTLOADER: KindRow(
            words="RTOS SDK boot loader",
            spots=(Spot.START,),
            brings=Starter.RTOS,
            at_start=True,
            compiled_in=True,
            no_layout="the partition table says what lies where, and init data is compiled in",
        ),
        FileKind.SDK_BOOTLOADER: KindRow(
            words="Espressif boot loader",
            spots=(Spot.START,),
            brings=Starter.SDK,
            at_start=True,
            no_layout="the user images that it starts decide what lies where",
        ),
        FileKind.RBOOT: KindRow(
            words="rBoot boot loader",
            spots=(Spot.START,),
            brings=Starter.RBOOT,
            at_start=True,
            no_layout="its configuration and the ROMs that it starts decide what lies where",
        ),
        FileKind.RBOOT_CONFIG: KindRow(
            words="rBoot configuration",
            spots=(Spot.FIXED,),
            belongs="0x01000",
            address=0x1000,
            started_by=(Starter.RBOOT,),
            of_firmware=True,
        ),
        FileKind.AT_USER: KindRow(
            words="user image of 2014 for address 0x1000",
            spots=(Spot.SLOT,),
            belongs=f"0x01000, {_BEHIND_LOADER}",
            started_by=(Starter.SDK,),
            headers=Headers.SLOTTED,
        ),
        FileKind.FLASH_DUMP: KindRow(
            words="image of a whole flash",
            spots=(Spot.START,),
            at_start=True,
            may_be_dump=True,
            has_layout=True,
        ),
        FileKind.INIT_DATA: KindRow(
            words="SDK init data",
            spots=(Spot.REGION,),
            belongs="the place of init data, by name @init-data",
            place_name="@init-data",
            region=PartKind.INIT_DATA,
            holds_firmware=False,
        ),
        FileKind.BLANK: KindRow(
            words="blank (erased flash)",
            may_be_dump=True,
            spots=_ALL,
            holds_firmware=False,
            no_start="nothing but erased flash",
        ),
        FileKind.LFS: KindRow(
            words="Lua Flash Store image",
            spots=(Spot.REGION,),
            belongs="the LFS partition, by name @lfs",
            place_name="@lfs",
            region=PartKind.LFS,
            holds_firmware=False,
        ),
        FileKind.SPIFFS: KindRow(
            words="SPIFFS file system",
            spots=(Spot.REGION,),
            belongs="the place of the file system, by name @spiffs",
            place_name="@spiffs",
            region=PartKind.SPIFFS,
            holds_firmware=False,
        ),
        FileKind.LITTLEFS: KindRow(
            words="LittleFS file system",
            spots=(Spot.REGION,),
            belongs="the place of the file system",
            region=PartKind.SPIFFS,
            holds_firmware=False,
        ),
        FileKind.ESPFS: KindRow(
            words="espfs archive",
            spots=_ALL,
            belongs="the address that the firmware was built for",
        ),
        FileKind.PARTITION_TABLE: KindRow(
            words="RTOS SDK partition table",
            spots=(Spot.FIXED,),
            belongs="0x08000",
            address=0x8000,
            started_by=(Starter.RTOS, Starter.RBOOT),
            of_firmware=True,
        ),
        FileKind.OTADATA: KindRow(
            words="RTOS SDK otadata",
            spots=_ALL,
            belongs="the otadata partition of the table, mostly 0x0d000",
            started_by=(Starter.RTOS,),
            of_firmware=True,
            holds_firmware=False,
        ),
        FileKind.GZIP: KindRow(
            words="gzip file",
            spots=_ALL,
            started_by=(Starter.EBOOT,),
            wraps=True,
            no_start="a gzip file, which is to be unpacked first",
            closed="it is packed: unpack it first",
            owns_sectors=False,
        ),
        FileKind.ELF: KindRow(
            words="ELF file",
            no_content="an ELF file, which is to be built into an image first",
            builds=True,
        ),
        FileKind.INTEL_HEX: KindRow(
            words="Intel HEX file",
            wraps=True,
            own_checks=True,
            no_content="an Intel HEX file, of which only the bytes inside go to the flash",
            closed=_RECORDS,
        ),
        FileKind.S_RECORD: KindRow(
            words="S-record file",
            wraps=True,
            own_checks=True,
            no_content="an S-record file, of which only the bytes inside go to the flash",
            closed=_RECORDS,
        ),
        FileKind.UF2: KindRow(
            words="UF2 file",
            wraps=True,
            no_content="a UF2 file, of which only the bytes inside go to the flash",
            closed=_RECORDS,
        ),
        FileKind.TUYA_OTA: KindRow(
            words="Tuya OTA container",
            no_content="a Tuya OTA file, which its own boot loader unpacks",
            closed="it is a container: take its images out of it first",
            cure="split it: the images in it are for the slots of a boot loader",
            owns_sectors=False,
        ),
        FileKind.RAM_IMAGE: KindRow(
            words="RAM program",
            spots=(Spot.START,),
            belongs="0x00000, or RAM: it is a program for load-ram",
            brings=Starter.ROM,
            started_by=(Starter.RBOOT,),
            no_layout="it runs in RAM, and uses nothing of a flash",
        ),
        FileKind.ESP32: KindRow(
            words="image for another chip",
            foreign=True,
            no_content="an image for another chip",
            closed="it is for another chip",
            cure="take the build for the ESP8266",
        ),
        FileKind.ARCHIVE: KindRow(
            words="archive",
            foreign=True,
            packs=True,
            holds_firmware=False,
            no_content="an archive, which is to be unpacked first",
            closed="it is an archive: unpack it first",
            cure="unpack it, and name the file that you want",
            owns_sectors=False,
        ),
        FileKind.TEXT: KindRow(
            words="text, not firmware",
            spots=_ALL,
            foreign=True,
            no_start="text",
            cure="download the file itself; GitHub has a button for that: Download raw file",
            owns_sectors=False,
        ),
        FileKind.EMPTY: KindRow(
            words="empty file",
            no_content="an empty file",
            holds_firmware=False,
            foreign=True,
            cure="build or download the file again",
            owns_sectors=False,
        ),
        FileKind.UNKNOWN: KindRow(
            words="unknown",
            may_be_dump=True,
            spots=_ALL,
            foreign=True,
            no_start="no image that the boot ROM loads",
            owns_sectors=False,
        ),
    }
)
"""One row a kind."""
