"""imgtool: the firmware image workbench for the ESP8266 and ESP8285.

The commands as functions: each takes bytes or :class:`Piece` values, opens no files, prints nothing and
returns a frozen result.  Names are loaded when they are first used, so that importing the package costs next
to nothing.  Each name stands twice: in the imports for type checkers, and in the table of homes.
"""
# Each name is exported by "as"; the sorter would make a statement of each.
# isort: skip_file

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from imgtool.device.events import Event as Event
    from imgtool.device.flash_chip import FlashChip as FlashChip
    from imgtool.device.host_ports import PortInfo as PortInfo
    from imgtool.device.identity import ChipIdentity as ChipIdentity
    from imgtool.device.port_list import list_ports as list_ports
    from imgtool.device.session import ConnectOptions as ConnectOptions, Session as Session
    from imgtool.device.wire import Lines as Lines, Wire as Wire, WireTraits as WireTraits
    from imgtool.engine.boot_logs import explain as explain
    from imgtool.engine.ports import open_wire as open_wire
    from imgtool.engine.jobs.advise import advise as advise
    from imgtool.engine.watching import Watch as Watch
    from imgtool.errors import (
        ChipError as ChipError,
        FormatError as FormatError,
        ImgtoolError as ImgtoolError,
        LayoutError as LayoutError,
        PortError as PortError,
        VerifyError as VerifyError,
    )
    from imgtool.formats.elf.symbols import ElfSymbols as ElfSymbols
    from imgtool.formats.filesystems.stored_files import FileSystem as FileSystem, StoredFile as StoredFile
    from imgtool.formats.logs.boots import (
        Boot as Boot,
        BootCause as BootCause,
        BootMessage as BootMessage,
        BootMode as BootMode,
        BootSegment as BootSegment,
        LoaderLines as LoaderLines,
        RfCalSector as RfCalSector,
    )
    from imgtool.formats.logs.crash import Allocation as Allocation, Crash as Crash, StackWord as StackWord
    from imgtool.formats.logs.garbled import Speeds as Speeds
    from imgtool.formats.reading import (
        Checksum as Checksum,
        FileKind as FileKind,
        Finding as Finding,
        Firmware as Firmware,
        Header as Header,
        Part as Part,
        PartKind as PartKind,
        Reading as Reading,
        SegmentInfo as SegmentInfo,
        Severity as Severity,
    )
    from imgtool.formats.regions.init_data import Deviation as Deviation
    from imgtool.formats.registry import identify as identify
    from imgtool.operations.actions import Action as Action, Cure as Cure
    from imgtool.operations.advise.old_flash import old_flash as old_flash
    from imgtool.operations.assemble.encode import encode as encode
    from imgtool.operations.assemble.extras import InitDataSource as InitDataSource
    from imgtool.operations.assemble.fullimage import (
        Extras as Extras,
        FullImage as FullImage,
        fullimage as fullimage,
    )
    from imgtool.operations.assemble.merge import Merged as Merged, merge as merge
    from imgtool.operations.assemble.pieces import HeaderChange as HeaderChange, Piece as Piece
    from imgtool.operations.building.images import (
        Built as Built,
        BuiltFile as BuiltFile,
        BuiltSegment as BuiltSegment,
        build as build,
    )
    from imgtool.operations.building.memory_use import MemoryUse as MemoryUse, SectionUse as SectionUse
    from imgtool.operations.compare.files import compare as compare
    from imgtool.operations.compare.values import (
        Compared as Compared,
        Comparison as Comparison,
        DiffState as DiffState,
        FieldChange as FieldChange,
        Pattern as Pattern,
        RegionChange as RegionChange,
    )
    from imgtool.operations.explain.crash_frames import Frame as Frame
    from imgtool.operations.explain.log import Explanation as Explanation
    from imgtool.operations.explain.values import Verdict as Verdict
    from imgtool.operations.extract.manifest import (
        Assembled as Assembled,
        FileStretch as FileStretch,
        FillStretch as FillStretch,
        Manifest as Manifest,
        Source as Source,
        Wrapper as Wrapper,
    )
    from imgtool.operations.extract.parts import (
        ExtractedPart as ExtractedPart,
        Extraction as Extraction,
        extract as extract,
    )
    from imgtool.operations.extract.split import Split as Split, split as split
    from imgtool.operations.extract.to_elf import ElfOutput as ElfOutput, to_elf as to_elf
    from imgtool.operations.flashing.transfer import (
        Job as Job,
        Mismatch as Mismatch,
        Transfer as Transfer,
        transfer as transfer,
    )
    from imgtool.operations.inspect.describe import Description as Description, describe as describe
    from imgtool.operations.inspect.file_systems import file_systems as file_systems
    from imgtool.operations.inspect.flash_slots import ActiveSlot as ActiveSlot, Slot as Slot
    from imgtool.operations.inspect.flash_state import FlashState as FlashState, LfsState as LfsState
    from imgtool.operations.inspect.sdk_sectors import (
        InitDataState as InitDataState,
        RfCalState as RfCalState,
        StoredNetwork as StoredNetwork,
        SystemParamState as SystemParamState,
        stored_networks as stored_networks,
    )
    from imgtool.operations.patch.edits import Difference as Difference, Edit as Edit
    from imgtool.operations.patch.steps import (
        Changes as Changes,
        Patched as Patched,
        Write as Write,
        patch as patch,
    )
    from imgtool.operations.patch.table import TableChange as TableChange
    from imgtool.operations.upgrade.side import OldFlash as OldFlash
    from imgtool.operations.upgrade.values import (
        AdvicePoint as AdvicePoint,
        AdviceVerdict as AdviceVerdict,
        FirmwareAdvice as FirmwareAdvice,
        Topic as Topic,
    )
    from imgtool.operations.watching.stream import (
        WatchEvent as WatchEvent,
        WatchLine as WatchLine,
        WatchNote as WatchNote,
        WatchSpeed as WatchSpeed,
        WatchText as WatchText,
    )
    from imgtool.virtual.line.port import SimPort as SimPort, open_port as open_port

__version__ = "0.1.0"

_HOMES: Final = {
    "imgtool.device.events": ("Event",),
    "imgtool.device.flash_chip": ("FlashChip",),
    "imgtool.device.host_ports": ("PortInfo",),
    "imgtool.device.identity": ("ChipIdentity",),
    "imgtool.device.port_list": ("list_ports",),
    "imgtool.device.session": ("ConnectOptions", "Session"),
    "imgtool.device.wire": ("Lines", "Wire", "WireTraits"),
    "imgtool.engine.ports": ("open_wire",),
    "imgtool.errors": (
        "ChipError",
        "FormatError",
        "ImgtoolError",
        "LayoutError",
        "PortError",
        "VerifyError",
    ),
    "imgtool.formats.registry": ("identify",),
    "imgtool.formats.logs.boots": (
        "Boot",
        "BootCause",
        "BootMessage",
        "BootMode",
        "BootSegment",
        "LoaderLines",
        "RfCalSector",
    ),
    "imgtool.formats.logs.crash": ("Allocation", "Crash", "StackWord"),
    "imgtool.formats.elf.symbols": ("ElfSymbols",),
    "imgtool.formats.logs.garbled": ("Speeds",),
    "imgtool.formats.regions.init_data": ("Deviation",),
    "imgtool.formats.reading": (
        "Checksum",
        "FileKind",
        "Finding",
        "Firmware",
        "Header",
        "Part",
        "PartKind",
        "Reading",
        "SegmentInfo",
        "Severity",
    ),
    "imgtool.formats.filesystems.stored_files": ("FileSystem", "StoredFile"),
    "imgtool.engine.boot_logs": ("explain",),
    "imgtool.engine.jobs.advise": ("advise",),
    "imgtool.engine.watching": ("Watch",),
    "imgtool.operations.actions": ("Action", "Cure"),
    "imgtool.operations.upgrade.side": ("OldFlash",),
    "imgtool.operations.advise.old_flash": ("old_flash",),
    "imgtool.operations.upgrade.values": ("AdvicePoint", "AdviceVerdict", "FirmwareAdvice", "Topic"),
    "imgtool.operations.explain.values": ("Verdict",),
    "imgtool.operations.building.images": ("Built", "BuiltFile", "BuiltSegment", "build"),
    "imgtool.operations.compare.files": ("compare",),
    "imgtool.operations.compare.values": (
        "Compared",
        "Comparison",
        "DiffState",
        "FieldChange",
        "Pattern",
        "RegionChange",
    ),
    "imgtool.operations.explain.crash_frames": ("Frame",),
    "imgtool.operations.inspect.describe": ("Description", "describe"),
    "imgtool.operations.assemble.encode": ("encode",),
    "imgtool.operations.explain.log": ("Explanation",),
    "imgtool.operations.extract.parts": ("ExtractedPart", "Extraction", "extract"),
    "imgtool.operations.assemble.extras": ("InitDataSource",),
    "imgtool.operations.inspect.file_systems": ("file_systems",),
    "imgtool.operations.inspect.flash_slots": ("ActiveSlot", "Slot"),
    "imgtool.operations.inspect.flash_state": ("FlashState", "LfsState"),
    "imgtool.operations.assemble.fullimage": ("Extras", "FullImage", "fullimage"),
    "imgtool.operations.extract.manifest": (
        "Assembled",
        "FileStretch",
        "FillStretch",
        "Manifest",
        "Source",
        "Wrapper",
    ),
    "imgtool.operations.building.memory_use": ("MemoryUse", "SectionUse"),
    "imgtool.operations.assemble.merge": ("Merged", "merge"),
    "imgtool.operations.assemble.pieces": ("HeaderChange", "Piece"),
    "imgtool.operations.patch.edits": ("Difference", "Edit"),
    "imgtool.operations.patch.steps": ("Changes", "Patched", "Write", "patch"),
    "imgtool.operations.patch.table": ("TableChange",),
    "imgtool.operations.inspect.sdk_sectors": (
        "InitDataState",
        "RfCalState",
        "StoredNetwork",
        "SystemParamState",
        "stored_networks",
    ),
    "imgtool.operations.extract.split": ("Split", "split"),
    "imgtool.operations.extract.to_elf": ("ElfOutput", "to_elf"),
    "imgtool.operations.flashing.transfer": ("Job", "Mismatch", "Transfer", "transfer"),
    "imgtool.operations.watching.stream": (
        "WatchEvent",
        "WatchLine",
        "WatchNote",
        "WatchSpeed",
        "WatchText",
    ),
    "imgtool.virtual.line.port": ("SimPort", "open_port"),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(["__version__", *_HOME_OF])  # noqa: PLE0605 - a list; type checkers see the imports


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the type checker sees the imports above
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
