"""The commands of ``imgtool files``, one file each: list, get, put, remove, make.

No rules: what they do is in imgtool.engine.jobs.files.

May import: input, show, run, and the layers below cli.
"""
