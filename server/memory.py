"""How this process and those that it starts ask the system for memory, so that it stays even.

glibc raises the size from which it maps a block by itself to the largest that was ever given back,
and keeps what is below in pools a thread: tensors of all sizes then leave holes among what stays,
and a server that runs for days grows. With a fixed size and few pools what is given back is gone.

oneDNN compiles each product of matrices anew for each number of rows, and by default keeps a
thousand of them: with prompts of all lengths that takes hours to fill.
"""

import ctypes
import os
import platform

ARENAS = 2
"""Pools, of all threads together."""

MAPPED = 256 << 10
"""Bytes from which a block is mapped by itself."""

TRIMMED = 1 << 20
"""Free bytes at a pool's end from which it is given back."""

PRODUCTS = 128
"""Compiled products that oneDNN keeps: those of every batch that decodes, and more."""

_PARAMETERS = (
    ("MALLOC_ARENA_MAX", -8, ARENAS),
    ("MALLOC_MMAP_THRESHOLD_", -3, MAPPED),
    ("MALLOC_TRIM_THRESHOLD_", -1, TRIMMED),
)
"""Their names in the environment, and their numbers in malloc.h."""


def keep_even() -> None:
    """Before anything large is loaded. What the environment says already counts."""
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(PRODUCTS))
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    for variable, number, size in _PARAMETERS:
        if variable not in os.environ:
            os.environ[variable] = str(size)
            libc.mallopt(number, size)
