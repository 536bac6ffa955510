"""The files of a file system that is there: listed, taken out, put in, removed, carried to another one.

In an image, in a dump, or on a board by way of a reader.  Not the making of a new one (assemble), and not
what an upgrade does to one (upgrade).
"""
