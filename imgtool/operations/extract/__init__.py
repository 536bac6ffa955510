"""Extract: images and dumps taken apart: into parts and their manifest, into build outputs, into an ELF file.

The files of a file system are read in inspect; here are only names for them.  May import: inspect, assemble,
and the layers below.
"""
