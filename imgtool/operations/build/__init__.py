"""Build: a linked ELF program to images, and how much of the memories it takes.

No merging of what was built.  May import: assemble, and the layers below.
"""
