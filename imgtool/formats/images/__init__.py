"""Images: what the boot ROM or a boot loader starts, and the irom parts that run from flash beside them.

Not what else lies in a flash (regions, filesystems), and not files that wrap an image (containers).

May import: regions, and the shared modules of formats.
"""
