"""Sphinx configuration: Markdown by MyST, the Python API by autodoc.

Build from the project folder: sphinx-build -W -n -b html docs docs/_build/html
"""

from __future__ import annotations

import typing

# Imported before the flag below is set: it is only for imgtool's own modules.
import construct  # noqa: F401
import elftools.elf.structs  # noqa: F401

# The virtual chip's modules know each other in both directions, by annotation; so they too come before.
import imgtool.virtual.line.port

# imgtool imports names for annotations only while type checking; autodoc needs them to link the types.
typing.TYPE_CHECKING = True

for name in imgtool.__all__:
    getattr(imgtool, name)
typing.TYPE_CHECKING = False

project = "imgtool"
author = "imgtool maintainers"
project_copyright = "imgtool maintainers"
release = imgtool.__version__
version = release

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"imgtool {release}"

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# Python's own documentation is not linked, as that would need the network at every build.
nitpick_ignore_regex = [
    ("py:class", r"(collections\.abc|datetime|decimal|enum|pathlib|re)\..*"),
]
nitpick_ignore = [
    ("py:class", "Fact"),  # a recursive alias: its inner names stay strings
    # Values inside of results that no program needs: what is in them stands beside them.
    ("py:class", "imgtool.engine.jobs.extract.Taken"),
    ("py:class", "imgtool.formats.elf.file.Executable"),
    ("py:class", "imgtool.operations.actions.Remark"),
    ("py:class", "imgtool.operations.extract.manifest.Manifest"),
    ("py:class", "imgtool.virtual.line.spec.Spec"),  # the virtual chip's own modules are not on the page
    ("py:class", "imgtool.device.host_ports.Group"),  # made by Machine's own default
    ("py:class", "PortProblem"),  # named by its words on the page on commands
    ("py:class", "imgtool.device.port_errors.PortProblem"),
    ("py:class", "imgtool.phrase.Phrase"),  # a text that knows its names
    ("py:class", "LostThing"),  # what a Loss is to the errors, which know no operation
    ("py:class", "StoredFolder"),
    ("py:class", "imgtool.layout.file_targets.FileTarget"),
    ("py:class", "imgtool.layout.file_targets.NamedTarget"),
    ("py:class", "imgtool.operations.files.owner.FileOwner"),
    ("py:class", "imgtool.operations.files.reading.ReadFileSystem"),
    ("py:class", "imgtool.virtual.board.session.FirmwareRun"),
    ("py:class", "imgtool.engine.jobs.virtual.try_boot.TryRequest"),
    ("py:class", "Whether nothing is wrong"),  # napoleon takes the words before a colon for a type
]
