"""Commands that work on a chip, on what one said, or on a virtual one.

No command for files alone (images).

May import: input, show, run, and the layers below cli.
"""
