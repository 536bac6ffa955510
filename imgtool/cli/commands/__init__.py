"""Commands: one small file each, a function whose annotated parameters are the options.

They read what is named, call an operation and hand the result to show.  No rules and no layout of text here.
"""
