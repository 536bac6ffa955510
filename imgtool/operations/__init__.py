"""Operations: verbs over typed values, each returning a frozen result, in a folder by what a user wants.

No printing, no files, no exit codes, no command lines in words; a chip is reached by device alone.

May import: layout, device, formats, chip.py, quantities.py, errors.py.
"""
