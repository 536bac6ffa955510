"""Input: words, files, folders and keys of the user to values.

No command and no output.  Typer is imported at every start, so what else is slow to import waits until a
command needs it.  May import: the layers below cli.
"""
