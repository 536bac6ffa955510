"""The commands of ``imgtool files``, one file each: list, get, put, remove, make.

They parse words, open files and ports, and print; what they do is in imgtool.engine.jobs.files.
"""
