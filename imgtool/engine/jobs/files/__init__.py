"""The jobs of ``imgtool files``: files of a file system listed, taken out, put in, removed, and one made.

No change of a file system is worked out here (imgtool.operations.files): requests, results, words.

May import: as the other jobs.
"""
