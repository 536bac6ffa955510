"""Input: words, files, folders and keys of the user to values.

No command and no output.  What is slow to import waits until a command needs it: some of this runs at every
start.

May import: the layers below cli.
"""
