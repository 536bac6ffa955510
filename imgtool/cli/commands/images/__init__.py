"""Commands that work on files: images, dumps, linked programs.

No command that needs a chip, or what one said (board).

May import: input, show, run, and the layers below cli.
"""
