"""Extract: images and dumps taken apart: into parts and their manifest, into build outputs, into an ELF file.

Not the files of a file system: inspect reads those, and here are names for them.

May import: inspect, assemble, and the layers below.
"""
