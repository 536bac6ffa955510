"""File systems that their own makers wrote, beside the real images: sizes, names and contents as listed."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from imgtool.operations.inspect.describe import describe
from imgtool.operations.inspect.file_systems import file_systems, with_files
from tests.support import corpus_folder, said

LEAST = 40


def folder() -> Path:
    found = corpus_folder().parent / "fs-reference"
    if not found.is_dir():
        pytest.skip("no folder fs-reference beside the real images")
    return found


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_every_file_of_every_image() -> None:
    """All of them, by the listing that the maker's own code read back."""
    listings = sorted(folder().glob("*.json"))
    assert len(listings) >= LEAST
    for listing in listings:
        data = gzip.decompress(listing.with_suffix(".bin.gz").read_bytes())
        described = with_files(data, describe(data))
        (system,) = file_systems(data, described)
        found = {file.path: (file.size, digest(file.data)) for file in system.files if file.whole}
        strip = "/" if "littlefs" in listing.stem else ""  # folders there, a part of the name in SPIFFS
        expected = {
            file["name"].lstrip(strip) if strip else file["name"]: (file["size"], file["sha256"])
            for file in json.loads(listing.read_text())["files"]
        }
        assert (found, len(system.files)) == (expected, len(expected)), listing.stem
        assert system.size == len(data), listing.stem
        assert said(described.findings, "error", "warning") == [], listing.stem
