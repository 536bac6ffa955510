"""What parts of files hold, as facts for JSON: each value as named numbers, texts and lists of those.

The only place that knows the names of these fields, which docs/json.md promises.  One way: nothing reads
facts back; who wants to know asks the value (:attr:`imgtool.formats.reading.Part.value`).  A further value is
a function here and a row in the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from imgtool.formats.reading import PartKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from imgtool.formats.containers.archive import Archive
    from imgtool.formats.containers.blocks import RecordContents
    from imgtool.formats.containers.gzip_file import GzipStream
    from imgtool.formats.containers.lfs import EarlyLfs, Lfs53Image, LfsHeader
    from imgtool.formats.containers.text_file import TextFile
    from imgtool.formats.containers.tuya import TuyaHeader
    from imgtool.formats.contents import Hint
    from imgtool.formats.elf.file import ElfHeader
    from imgtool.formats.filesystems.espfs import EspFs
    from imgtool.formats.filesystems.littlefs import LittleFsSuperblock
    from imgtool.formats.filesystems.spiffs import SpiffsSignature
    from imgtool.formats.filesystems.spiffs_plain import PlainSpiffs
    from imgtool.formats.filesystems.stored_files import FileListing
    from imgtool.formats.images.arduino import Words
    from imgtool.formats.images.micropython import Tail
    from imgtool.formats.images.other_chip import ChipImage
    from imgtool.formats.images.rtos_app import RtosAppDetails
    from imgtool.formats.reading import Fact
    from imgtool.formats.regions.init_data import InitData
    from imgtool.formats.regions.json_record import JsonRecord
    from imgtool.formats.regions.nodemcu_page import PartitionTable
    from imgtool.formats.regions.nvs import NvsPages
    from imgtool.formats.regions.protected_param import ProtectedParams
    from imgtool.formats.regions.rboot_config import MongooseConfig, RbootConfig
    from imgtool.formats.regions.rtos_partitions import RtosPartitionTable
    from imgtool.formats.regions.sysparam import SysparamRegion

__all__ = ["RENDERERS", "facts_of"]

_MOST_BLOCKS: Final = 32  # that are named one by one
_MOST_ARCHIVED: Final = 64  # files, likewise
_PACKAGE: Final = "imgtool.formats."


def facts_of(value: object) -> dict[str, Fact]:
    """The facts of a part's value; none for no value.

    Raises:
        TypeError: No part holds such a value.
    """
    if value is None:
        return {}
    kind = type(value)
    render = RENDERERS.get(f"{kind.__module__}.{kind.__qualname__}".removeprefix(_PACKAGE))
    if render is None:
        raise TypeError(f"no part of a file holds a {kind.__qualname__}")
    return render(value)


def _archive(value: Archive) -> dict[str, Fact]:
    return {
        "archive": value.form,
        "file_count": len(value.files),
        "files": [{"name": name, "size": size} for name, size in value.files[:_MOST_ARCHIVED]],
    }


def _blocks(value: RecordContents) -> dict[str, Fact]:
    facts: dict[str, Fact] = {
        "bytes": value.size,
        "block_count": len(value.blocks),
        "blocks": [{"address": block.address, "size": block.size} for block in value.blocks[:_MOST_BLOCKS]],
    }
    return facts if value.start is None else {**facts, "start": value.start}


def _gzip(value: GzipStream) -> dict[str, Fact]:
    return {"unpacked": value.unpacked, **({"name": value.name} if value.name else {})}


def _lfs(value: LfsHeader) -> dict[str, Fact]:
    return {
        "lua": "5.1",
        "number_type": value.number_type,
        "image_size": value.size,
        "absolute": value.absolute,
    }


def _lfs_2018(value: EarlyLfs) -> dict[str, Fact]:
    return {**_lfs(value.header), "links": value.links}


def _lfs_53(value: Lfs53Image) -> dict[str, Fact]:
    return {"lua": "5.3", **({} if value.size is None else {"image_size": value.size})}


def _text(value: TextFile) -> dict[str, Fact]:
    return {
        **({} if value.stated_size is None else {"size": value.stated_size}),
        **({"title": value.title} if value.title else {}),
    }


def _tuya(value: TuyaHeader) -> dict[str, Fact]:
    return {
        "version": value.version,
        "images": [{"offset": image.offset, "size": image.size} for image in value.images],
    }


def _hint(value: Hint) -> dict[str, Fact]:
    return {"looks_like": value.words, "entropy": round(value.entropy, 2)}


def _elf(value: ElfHeader) -> dict[str, Fact]:
    return {"machine": value.machine, "entry": value.entry, "sections": value.sections}


def _espfs(value: EspFs) -> dict[str, Fact]:
    return {
        "file_count": len(value.files),
        "files": [
            {"name": file.name, "size": file.size, "stored_size": file.stored_size, "packing": file.packing}
            for file in value.files[:_MOST_ARCHIVED]
        ],
    }


def _littlefs(value: LittleFsSuperblock) -> dict[str, Fact]:
    return {"version": value.version, "block_size": value.block_size, "blocks": value.blocks}


def _spiffs(value: SpiffsSignature) -> dict[str, Fact]:
    return {"block_size": value.block_size, "blocks": value.blocks, "formula": value.formula}


def _spiffs_plain(value: PlainSpiffs) -> dict[str, Fact]:
    return {
        "block_size": value.block_size,
        "blocks": value.blocks,
        "formula": value.formula,
        "file_count": value.files,
    }


def _listing(value: FileListing) -> dict[str, Fact]:
    facts: dict[str, Fact] = {
        **facts_of(value.superblock),
        "files": [{"path": file.path, "size": file.size, "whole": file.whole} for file in value.files],
        "used": value.used,
        "free": value.free,
    }
    if value.kind is PartKind.SPIFFS:
        facts |= {
            "deleted": value.deleted,
            "half_written": value.half_written,
            "most_erases": value.most_erases,
            "layout": value.layout,
        }
    return facts


def _length(value: Words) -> dict[str, Fact]:
    return {"length": value.length}


def _length_of_micropython(value: Tail) -> dict[str, Fact]:
    return {"length": value.end}


def _other_chip(value: ChipImage) -> dict[str, Fact]:
    facts: dict[str, Fact] = {"chip": value.chip, "entry": value.entry}
    return facts if value.known_name is None else {**facts, "chip_name": value.known_name}


def _rtos_app(value: RtosAppDetails) -> dict[str, Fact]:
    facts: dict[str, Fact] = {"flash_size": value.flash_size}
    described = value.description
    if described is not None:
        facts |= {
            "project": described.project,
            "version": described.version,
            "built": described.built,
            "rtos_sdk": described.sdk,
            "elf_sha256": described.elf_sha256 or None,
        }
    return facts


def _init_data(value: InitData) -> dict[str, Fact]:
    fields: Mapping[str, int | bytes] = value.values
    return {
        "set": value.set_name,
        "fields": {name: each if isinstance(each, int) else each.hex() for name, each in fields.items()},
    }


def _nodemcu_table(value: PartitionTable) -> dict[str, Fact]:
    return {
        "resolved": value.resolved,
        "entries": [
            {"type": entry.type, "name": entry.name, "address": entry.address, "size": entry.size}
            for entry in value.entries
        ],
    }


def _rboot_config(value: RbootConfig) -> dict[str, Fact]:
    return {
        "mode": value.mode,
        "current_rom": value.current_rom,
        "gpio_rom": value.gpio_rom,
        "count": value.count,
        "roms": list(value.used),
    }


def _mongoose_config(value: MongooseConfig) -> dict[str, Fact]:
    return {
        "mode": value.mode,
        "current_rom": value.current_rom,
        "previous_rom": value.previous_rom,
        "confirmed": not value.first_boot,
        "count": value.count,
        "roms": list(value.roms),
        "file_systems": [{"offset": offset, "size": size} for offset, size in value.file_systems],
    }


def _protected(value: ProtectedParams) -> dict[str, Fact]:
    return {
        "live": value.protection.live,
        "writes": value.protection.writes,
        "used": list(value.used),
        "checksums": list(value.right),
    }


def _sysparam(value: SysparamRegion) -> dict[str, Fact]:
    return {
        "sectors": value.sectors,
        "second": value.second,
        "active": value.active,
        "keys": [{"name": each.name, "size": each.size, "binary": each.binary} for each in value.values],
    }


def _json_record(value: JsonRecord) -> dict[str, Fact]:
    return {"length": value.length, "fields": list(value.fields)}


def _nvs(value: NvsPages) -> dict[str, Fact]:
    return {"pages": value.pages, "values": value.values, "namespaces": list(value.namespaces)}


def _rtos_table(value: RtosPartitionTable) -> dict[str, Fact]:
    return {
        "partitions": [
            {
                "label": row.label,
                "kind": row.kind,
                "type": row.type,
                "subtype": row.subtype,
                "offset": row.offset,
                "size": row.size,
                "flags": row.flags,
            }
            for row in value.partitions
        ]
    }


RENDERERS: Final[Mapping[str, Callable[[Any], dict[str, Fact]]]] = {
    "containers.archive.Archive": _archive,
    "containers.blocks.RecordContents": _blocks,
    "containers.gzip_file.GzipStream": _gzip,
    "containers.lfs.EarlyLfs": _lfs_2018,
    "containers.lfs.Lfs53Image": _lfs_53,
    "containers.lfs.LfsHeader": _lfs,
    "containers.text_file.TextFile": _text,
    "containers.tuya.TuyaHeader": _tuya,
    "contents.Hint": _hint,
    "elf.file.ElfHeader": _elf,
    "filesystems.espfs.EspFs": _espfs,
    "filesystems.littlefs.LittleFsSuperblock": _littlefs,
    "filesystems.spiffs.SpiffsSignature": _spiffs,
    "filesystems.spiffs_plain.PlainSpiffs": _spiffs_plain,
    "filesystems.stored_files.FileListing": _listing,
    "images.arduino.Words": _length,
    "images.micropython.Tail": _length_of_micropython,
    "images.other_chip.ChipImage": _other_chip,
    "images.rtos_app.RtosAppDetails": _rtos_app,
    "regions.init_data.InitData": _init_data,
    "regions.json_record.JsonRecord": _json_record,
    "regions.nodemcu_page.PartitionTable": _nodemcu_table,
    "regions.nvs.NvsPages": _nvs,
    "regions.protected_param.ProtectedParams": _protected,
    "regions.rboot_config.MongooseConfig": _mongoose_config,
    "regions.rboot_config.RbootConfig": _rboot_config,
    "regions.rtos_partitions.RtosPartitionTable": _rtos_table,
    "regions.sysparam.SysparamRegion": _sysparam,
}
"""The function for each class of values, by module and name below :mod:`imgtool.formats`: names and no
classes, as most files need one format of many."""
