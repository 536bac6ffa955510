"""Show: results for people on a terminal: text, tables, maps, progress; what is said comes from the results.

Nothing is computed or decided here.  May import: the layers below cli.
"""
