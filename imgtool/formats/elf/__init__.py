"""ELF files: told apart, read as the sections and segments that images are made of, and as symbols.

No image is built here (operations/building).  The only home of pyelftools.

May import: the shared modules of formats.
"""
