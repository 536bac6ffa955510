"""The jobs of ``imgtool files``: the files of a file system listed, taken out, put in, removed, and one made.

In an image, in a dump or on a board.  What is done is in imgtool.operations.files; here it is requests,
results, documents and words.
"""
