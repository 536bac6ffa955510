"""Commands: one small file each, a function whose annotated parameters are the options.

No rules and no layout of text: they read what is named, ask the layers below and hand the result to show.

May import: input, show, run, and the layers below cli.
"""
