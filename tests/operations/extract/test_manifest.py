from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.errors import FormatError
from imgtool.operations.extract.manifest import FileStretch, FillStretch, Manifest, Source, Wrapper

DIGEST = "0" * 64
NAMES = st.text(st.characters(exclude_characters="/\\:", min_codepoint=0x20), min_size=1, max_size=9).filter(
    lambda name: bool(name.strip(". "))
)
DIGESTS = st.sampled_from([hashlib.sha256(bytes([n])).hexdigest() for n in range(8)])
WRAPPERS = st.none() | st.builds(Wrapper, st.text(max_size=9), st.integers(0, 1 << 30), DIGESTS)


def tiled(pieces: list[tuple[int, str, str, int | None]], source: Source) -> Manifest:
    stretches: list[FileStretch | FillStretch] = []
    end = 0
    for size, name, digest, fill in pieces:
        stretches.append(
            FileStretch(name, end, size, digest, "irom")
            if fill is None
            else FillStretch(fill, end, size, "gap")
        )
        end += size
    return Manifest(
        Source(source.name, end, source.sha256, source.kind, source.flash_size, source.wrapper),
        tuple(stretches),
    )


MANIFESTS = st.builds(
    tiled,
    st.lists(st.tuples(st.integers(1, 0x10000), NAMES, DIGESTS, st.none() | st.integers(0, 255)), max_size=6),
    st.builds(
        Source,
        st.text(max_size=9),
        st.just(0),
        DIGESTS,
        st.text(max_size=9),
        st.none() | st.text(min_size=1, max_size=9),
        WRAPPERS,
    ),
)


@given(MANIFESTS)
def test_parse_is_the_inverse_of_build(manifest: Manifest) -> None:
    assert Manifest.parse(manifest.build()) == manifest


@given(
    st.binary()
    | st.recursive(st.none() | st.integers() | st.text(max_size=9), st.lists).map(json.dumps).map(str.encode)
)
def test_any_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        Manifest.parse(data)


def document(**changes: Any) -> bytes:  # noqa: ANN401 - whatever a test puts in
    """A manifest of a file of 4 bytes, fill of 4, and another file, with changes."""
    source = {"name": "a.bin", "size": 12, "sha256": DIGEST, "kind": "unknown", "flash_size": None}
    stretches = [
        {"file": "a", "address": 0, "size": 4, "sha256": DIGEST, "kind": "unknown"},
        {"fill": 255, "address": 4, "size": 4, "kind": "gap"},
        {"file": "b", "address": 8, "size": 4, "sha256": DIGEST, "kind": "unknown"},
    ]
    for place, value in changes.items():
        if place.startswith("source_"):
            source[place.removeprefix("source_")] = value
        elif place.startswith("second_"):
            stretches[1][place.removeprefix("second_")] = value
        elif place.startswith("third_"):
            stretches[2][place.removeprefix("third_")] = value
    whole = {"schema": 1, "source": source, "stretches": stretches}
    return json.dumps({**whole, **{k: v for k, v in changes.items() if k in (*whole,)}}).encode()


def test_the_sample_is_a_manifest() -> None:
    assert [stretch.address for stretch in Manifest.parse(document()).stretches] == [0, 4, 8]


@pytest.mark.parametrize(
    "name",
    [
        "../b",
        "..",
        ".",
        "",
        " ",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "..\\b",
        "C:b",
        "C:\\b",
        "\\\\server\\b",
        "b\0",
        "b\n",
    ],
    ids=repr,
)
def test_names_that_could_leave_the_folder(name: str) -> None:
    with pytest.raises(FormatError, match="file in entry 2") as caught:
        Manifest.parse(document(third_file=name))

    assert (caught.value.expected, caught.value.found) == (
        "the name of a file in the folder",
        json.dumps(name),
    )


@pytest.mark.parametrize(
    ("changes", "message", "expected", "found"),
    [
        ({"schema": 2}, "another schema", "schema 1", "2"),
        ({"schema": "1"}, "no manifest", "an object with schema 1", '"1"'),
        ({"schema": True}, "no manifest", "an object with schema 1", "true"),
        ({"source": []}, "source of the manifest", "an object", "[]"),
        ({"source": None}, "source of the manifest", "an object", "nothing"),
        ({"source_size": -1}, "size in source", "a number from 0 to 16777216", "-1"),
        ({"source_size": 10**30}, "size in source", "a number from 0 to 16777216", "1" + "0" * 30),
        ({"source_sha256": "00"}, "sha256 in source", "64 hex digits", '"00"'),
        ({"source_name": None}, "name in source", "a text", "nothing"),
        ({"source_flash_size": 4}, "flash_size in source", "a text", "4"),
        ({"source_wrapper": 1}, "wrapper of the manifest", "an object", "1"),
        ({"source_size": 13}, "not as long as its source", "13 bytes", "12"),
        ({"source_size": 11}, "not as long as its source", "11 bytes", "12"),
        ({"stretches": None}, "stretches of the manifest", "a list", "nothing"),
        ({"stretches": [1]}, "entry 0 of the manifest", "an object", "1"),
        ({"stretches": []}, "not as long as its source", "12 bytes", "0"),
        ({"second_address": 3}, r"entry 1 \(fill\) overlaps", "address 0x00004", "0x00003"),
        ({"third_address": 7}, r"entry 2 \(b\) overlaps", "address 0x00008", "0x00007"),
        ({"third_address": 9}, r"entry 2 \(b\) leaves a hole", "address 0x00008", "0x00009"),
        ({"second_size": 0}, "size in entry 1", "a number from 1 to 16777216", "0"),
        ({"second_size": 4.0}, "size in entry 1", "a number from 1 to 16777216", "4.0"),
        ({"second_fill": 256}, "fill in entry 1", "a number from 0 to 255", "256"),
        ({"second_fill": True}, "fill in entry 1", "a number from 0 to 255", "true"),
        ({"second_fill": None}, "fill in entry 1", "a number from 0 to 255", "nothing"),
        ({"third_sha256": None}, "sha256 in entry 2", "a text", "nothing"),
        ({"third_file": ["b"]}, "file in entry 2", "a text", '["b"]'),
        ({"third_kind": 1}, "kind in entry 2", "a text", "1"),
    ],
)
def test_what_is_no_manifest(changes: dict[str, Any], message: str, expected: str, found: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        Manifest.parse(document(**changes))

    assert (caught.value.expected, caught.value.found) == (expected, found)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff", b"[" * 100_000, b'{"schema": 1' + b"0" * 5000], ids=range(5)
)
def test_broken_json(data: bytes) -> None:
    with pytest.raises(FormatError, match="the manifest is no JSON"):
        Manifest.parse(data)


def test_a_manifest_of_something_else() -> None:
    # What web flashers call their list of files.
    with pytest.raises(FormatError, match="no manifest of an extraction"):
        Manifest.parse(b'{"name": "ESPHome", "builds": []}')


def real_document(first: bytes, second: bytes) -> Manifest:
    whole = first + b"\xff" * 4 + second
    return Manifest(
        Source("x.bin", len(whole), hashlib.sha256(whole).hexdigest(), "unknown"),
        (
            FileStretch("a", 0, len(first), hashlib.sha256(first).hexdigest(), "unknown"),
            FillStretch(0xFF, len(first), 4, "gap"),
            FileStretch("b", len(first) + 4, len(second), hashlib.sha256(second).hexdigest(), "unknown"),
        ),
    )


def test_assembled_as_it_was() -> None:
    made = real_document(b"abcd", b"efgh").assemble({"a": b"abcd", "b": b"efgh"}, "m")

    assert (made.address, made.data, made.name) == (0, b"abcd\xff\xff\xff\xffefgh", "m")
    assert (made.files, made.changed, made.same, made.findings) == (("a", "b"), (), True, ())


def test_a_changed_file_is_named() -> None:
    made = real_document(b"abcd", b"efgh").assemble({"a": b"abcd", "b": b"EFGH"}, "m")

    assert (made.data[8:], made.changed, made.same) == (b"EFGH", ("b",), False)
    assert [finding.message for finding in made.findings] == ["b was changed since it was extracted"]


def test_a_changed_manifest_is_said() -> None:
    manifest = real_document(b"abcd", b"efgh")
    changed = Manifest(
        manifest.source, (manifest.stretches[0], FillStretch(0, 4, 4, "gap"), manifest.stretches[2])
    )
    made = changed.assemble({"a": b"abcd", "b": b"efgh"}, "m")

    assert (made.same, [finding.code for finding in made.findings]) == (False, ["manifest-changed"])


@pytest.mark.parametrize(
    ("files", "found"), [({"a": b"abcd"}, "no file"), ({"a": b"abcd", "b": b"efghi"}, "5 bytes")]
)
def test_a_file_that_is_not_as_it_should_be(files: dict[str, bytes], found: str) -> None:
    with pytest.raises(FormatError, match=r"entry 2 \(b\)") as caught:
        real_document(b"abcd", b"efgh").assemble(files, "m")

    assert (caught.value.expected, caught.value.found) == ("4 bytes", found)
