"""What a generation of firmware is described by: the values that the rows of generations.py are made of.

Not the generations themselves, and no rule that looks at a flash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from imgtool.chip import FLASH_SIZES, IROM_PLACE, SDK_SECTORS
from imgtool.formats.reading import PartKind

__all__ = [
    "ALL_CODES",
    "SDK_PLACES",
    "BuildDates",
    "BuiltSize",
    "Family",
    "FilePlace",
    "Generation",
    "InitDataRepair",
    "KeptSectors",
    "LfsPlace",
    "Magics",
    "NameRule",
    "Numbering",
    "OwnInitData",
    "Release",
    "SizeReading",
    "Source",
    "SpiffsRule",
    "Standing",
    "Uncertainty",
]

Release = tuple[int, ...]
"""A version as numbers; empty where it is not known."""

ALL_CODES: Final = frozenset(size.code for size in FLASH_SIZES)
"""The size nibbles that have a meaning."""


class Family(StrEnum):
    """Firmware whose releases are counted together."""

    NODEMCU = "NodeMCU"
    NON_OS = "non-OS SDK"
    AT = "AT"
    ARDUINO = "Arduino core"
    MICROPYTHON = "MicroPython"
    RTOS_3 = "RTOS SDK 3"
    OPEN_RTOS = "esp-open-rtos"
    SMING = "Sming"


class Numbering(StrEnum):
    """Which number of a firmware tells its generation."""

    OWN = "its own version"
    """NodeMCU: a cloud build has none of its own, and carries the SDK's, which its releases share."""
    SDK = "its SDK's version"
    NONE = "none"


class Standing(StrEnum):
    """How a fact is known; the words of docs/flash-layouts.md."""

    READ = "read"
    RUN = "run"
    SEEN = "seen"
    DOCUMENTED = "documented"
    INFERRED = "inferred"


class Source(NamedTuple):
    """Where the facts of a row are known from."""

    standing: Standing
    url: str


class InitDataRepair(StrEnum):
    """What a firmware does about missing init data before its SDK looks for it."""

    IF_ERASED = "if-erased"
    """It writes its own where the place is erased, and leaves everything else there alone."""
    IF_CARRIED = "if-carried"
    """As before, but only those releases of the version that carry a block of it."""
    UNLESS_RECORDED = "unless-recorded"
    """NodeMCU from 3.0 on: it writes its own unless byte 0 is 5, once; a record then stops it."""
    SDK_DEFAULT = "sdk-default"
    """It does nothing, and its SDK (before 1.5.4.1) starts with a default of its own."""
    COMPILED_IN = "compiled-in"
    """It hands its own to the SDK, and uses none in the flash."""
    NEVER = "never"
    """It does nothing, and its SDK does not start without."""
    UNKNOWN = "unknown"
    """Not known."""


class Magics(StrEnum):
    """Which magics the blocks of a SPIFFS have."""

    NONE = "none"
    LINEAR = "linear"
    """0x0429 and the blocks that are left."""
    OLD = "old"
    """The same with a formula that is not linear, of three releases of NodeMCU."""
    AS_INIT_DATA = "old or linear, by init data"
    """Old in those releases of the version that write init data, which are the later ones."""
    BY_BUILD = "old or linear, by date"
    """Old in the first release of the version, linear in the later ones."""
    CONSTANT = "constant"
    """0x0429 in every block."""


class FilePlace(StrEnum):
    """How a firmware finds its file system."""

    BEHIND = "behind irom"
    PARTITION = "partition"
    LINKED = "set at build time"


class LfsPlace(StrEnum):
    """Where NodeMCU has its Lua Flash Store."""

    NONE = "none"
    IN_IROM = "end of irom"
    PARTITION = "partition"
    UNKNOWN = "not known"


class BuildDates(NamedTuple):
    """A range of build dates, each as eight digits, for releases that share a version.

    Attributes:
        first: The first day; empty for all before.
        before: The first day that is none of it any more.
    """

    first: str
    before: str

    def cover(self, built: str) -> bool:
        """Whether a build of that day is one of it; never where the day is not known."""
        return bool(built) and self.first <= built < self.before


class KeptSectors(NamedTuple):
    """Sectors in front of the end of the flash that are kept for something.

    Attributes:
        kind: What for.
        name: Its name, as in ``@rf-cal``.
        from_end: Its first sector, counted back from the end of the flash (1 is the last sector).
        sectors: How many.
    """

    kind: PartKind
    name: str
    from_end: int
    sectors: int


SDK_PLACES: Final = tuple(KeptSectors(PartKind(s.name), s.name, s.from_end, s.sectors) for s in SDK_SECTORS)
"""The last five sectors as every non-OS SDK before 3.0 has them."""


class OwnInitData(NamedTuple):
    """The init data that a firmware writes itself.

    Attributes:
        set_name: The published set.
        changed: Bytes that differ from it, by offset.
        carried: Whether the block stands as a whole in its image for 0; only releases with it write it.
    """

    set_name: str
    changed: tuple[tuple[int, int], ...] = ()
    carried: bool = False


class Uncertainty(NamedTuple):
    """What is to be said of a firmware.

    Attributes:
        code: Of the finding.
        words: With ``{name}``, ``{size}`` and ``{largest}``, the largest size that it may be told unasked.
    """

    code: str
    words: str


class BuiltSize(NamedTuple):
    """That a firmware is built for the flash size in its header, which ``detect`` keeps therefore.

    Attributes:
        why: Why it is kept, in words.
        otherwise: What happens with another size, in words with ``{name}``.
        larger: Whether that happens with a larger one, too.
    """

    why: str
    otherwise: str
    larger: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeReading:
    """What a firmware makes of the size nibble in its header.

    Attributes:
        codes: The nibbles that it reads right, for all that it keeps at the end of the flash.
        detected: Those of them that it may be told unasked; None for all.
        beyond: The nibble that it is told unasked on a chip that is larger than all that it reads right; None
            for the largest one.
        built: That its header has the size that it is built for; None where every size will do.
        own: Bytes of those nibbles to which it gives a meaning of its own.
        others: What is to be said where it is told one that it is not to be told unasked.
        least: Bytes of the smallest flash that it starts on.
        corrects: Whether it puts the size of the chip there by itself.
        doubled_from: From which nibble on its own search for init data takes 256 KB << nibble for the end of
            the flash; None where it has no such fault.
    """

    codes: frozenset[int] = ALL_CODES
    detected: frozenset[int] | None = None
    beyond: int | None = None
    built: BuiltSize | None = None
    own: Mapping[int, int] = field(default_factory=dict)
    others: Uncertainty | None = None
    least: int = 0
    corrects: bool = False
    doubled_from: int | None = None

    @property
    def sure(self) -> frozenset[int]:
        """The nibbles that it may be told unasked."""
        return self.codes if self.detected is None else self.detected

    @property
    def largest(self) -> int:
        """Bytes of the largest flash that it can be told."""
        return max(size.bytes for size in FLASH_SIZES if size.code in self.codes)


class NameRule(NamedTuple):
    """Which names of files a firmware can open.

    Attributes:
        longest: Bytes that a name may have: of the whole name, or with folders of each part of it.
        slash: Whether every name begins with a slash; else none may.
        folders: Whether there are folders; else a slash is a character of the name.
    """

    longest: int = 31
    slash: bool = False
    folders: bool = False


NODEMCU_NAMES: Final = NameRule()
"""A leading slash selects a drive from 1.5.4.1 on, and a name of 32 bytes has no room for its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpiffsRule:
    """How a firmware finds and makes its SPIFFS; pages have 256 bytes everywhere.

    Attributes:
        magics: Of its blocks.
        place: How it finds it.
        pages: The layout of its index pages, as imgtool/formats/filesystems/spiffs_files.py names it; one
            does not read another's.
        blocks: The block sizes that it knows, smallest first.
        least_blocks: So many of the larger ones must fit, or it takes the smaller ones, of which so many must
            fit as well: with fewer it formats in vain, or finds no room for a file.
        probes_each: Whether it looks for every block size that fits, and not only for the one it would take.
        kept_sectors: Sectors at the end of the flash that it leaves alone.
        step: It looks behind irom at multiples of this.
        near_step: On a flash below ``small_flash``, and behind the others, at multiples of this.
        tries: So often each; 0 where it looks at the first place alone.
        small_flash: Bytes.
        gap: So much it leaves behind irom when it makes one; None for none.
        near_gap: So much where it would have less than ``least`` bytes.
        least: Bytes.
        names: Which names it can open.
    """

    magics: Magics
    place: FilePlace
    pages: str = "aligned"
    blocks: tuple[int, ...] = (0x1000, 0x2000)
    least_blocks: int = 4
    probes_each: bool = False
    kept_sectors: int = 5
    step: int = 0x1_0000
    near_step: int = 0x2000
    tries: int = 8
    small_flash: int = 700_000
    gap: int | None = 0x1_0000
    near_gap: int = 0x8000
    least: int = 400_000
    names: NameRule = NODEMCU_NAMES

    @property
    def least_room(self) -> int:
        """Bytes below which it can keep no file."""
        return self.least_blocks * self.blocks[0]

    def block_for(self, size: int) -> int:
        """The block size that it takes for so many bytes."""
        fitting = [block for block in self.blocks if size >= self.least_blocks * block]
        return max(fitting, default=self.blocks[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """A range of releases of a firmware that keep the same things at the same places.

    Attributes:
        name: What people call it.
        family: Which firmware.
        names: How :mod:`imgtool.formats.firmware` names it; empty for whatever no other family is called.
        numbering: Which of its numbers ``first`` and ``before`` are.
        first: The first release.
        before: The first release that is none of it any more; None for the newest.
        builds: Which builds of these releases, where their version does not tell them apart; None for all
            that no row above has.
        release_known: False for the row of firmware whose release is not known.
        rule: What its places rest on, in words.
        kept: What it keeps at the end of the flash, in address order.
        has_partition_table: Whether its record page at 0x10000 says what lies where.
        needs_init_data: Whether its SDK halts without; None where that is not known.
        missing_init_data: What it does about missing init data.
        own_init_data: What it writes then.
        keeps_rf_cal: Whether RF calibration is kept in the flash; before SDK 1.5.4.1 that sector is the
            application's.
        sizes: What it makes of the size nibble.
        files: How it finds and makes its SPIFFS; None where that is not known, or it has none.
        files_in_fat: Whether its files may be in a FAT volume.
        lfs: Where its LFS is.
        lfs_formats: What can be loaded there.
        irom: Flash offsets that its irom is linked for; empty where it is a segment of the image.
        baud: Speed of its console, where the firmware sets one.
        names_sdk: Whether its strings name its SDK with a commit.
        starts_behind_eboot: Whether the Arduino core's boot loader starts it; None where its name does not
            tell.
        uncertain: What is to be said of its places.
        sources: Where all that is known from.
    """

    name: str
    family: Family
    names: tuple[str, ...] = ()
    numbering: Numbering = Numbering.SDK
    first: Release = ()
    before: Release | None = None
    builds: BuildDates | None = None
    release_known: bool = True
    rule: str = "the last five sectors, as every non-OS SDK before 3.0 has it"
    kept: tuple[KeptSectors, ...] = SDK_PLACES
    has_partition_table: bool = False
    needs_init_data: bool | None = None
    missing_init_data: InitDataRepair = InitDataRepair.UNKNOWN
    own_init_data: OwnInitData | None = None
    keeps_rf_cal: bool = True
    sizes: SizeReading = field(default_factory=SizeReading)
    files: SpiffsRule | None = None
    files_in_fat: bool = False
    lfs: LfsPlace = LfsPlace.NONE
    lfs_formats: tuple[str, ...] = ()
    irom: tuple[int, ...] = (IROM_PLACE,)
    baud: int | None = None
    names_sdk: bool = True
    starts_behind_eboot: bool | None = None
    uncertain: Uncertainty | None = None
    sources: tuple[Source, ...]

    def covers(self, release: Release, built: str = "") -> bool:
        """Whether a release that is known is one of it.

        Args:
            release: Its version.
            built: The day of its build as eight digits; empty where it is not known.
        """
        if not self.release_known or (self.builds is not None and not self.builds.cover(built)):
            return False
        return self.first <= release and (self.before is None or release < self.before)

    def is_from(self, other: Generation) -> bool:
        """Whether it is that generation of the same firmware, or a later one."""
        return self.family is other.family and self.release_known and self.first >= other.first

    def is_patch(self, release: Release) -> bool:
        """Whether a release is more than the first one of the version that the generation begins with."""
        return any(release[len(self.first) :]) or len(release) > len(self.first) + 1

    @property
    def own_places(self) -> bool:
        """Whether the application sets the places of the SDK's sectors, so that ``kept`` is a guess."""
        return self.uncertain is not None and self.uncertain.code == "sdk-3-layout"

    @property
    def size_compiled_in(self) -> bool:
        """Whether the flash size that it works with is compiled in, and its header does not count."""
        return self.uncertain is not None and self.uncertain.code == "size-compiled-in"

    @property
    def is_nodemcu(self) -> bool:
        """Whether it is NodeMCU, of whatever release."""
        return self.family is Family.NODEMCU

    @property
    def finds_files(self) -> bool:
        """Whether its own rules tell where it looks for a file system, and no setting of its build."""
        return self.files is not None and self.files.place is not FilePlace.LINKED

    @property
    def without_magics(self) -> bool:
        """Whether its SPIFFS has no magics."""
        return self.files is not None and self.files.magics is Magics.NONE
