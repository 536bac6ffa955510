"""Jobs on the virtual board: served to other programs, or booted to see what firmware does.

No board of the user's is touched, and no file is opened.

May import: as the other jobs, and virtual.
"""
