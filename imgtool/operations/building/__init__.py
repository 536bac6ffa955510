"""Building: a linked ELF program to images, and how much of the memories it takes.

No merging of what was built.  Not called build, as tools pass over folders of that name.

May import: assemble, and the layers below.
"""
