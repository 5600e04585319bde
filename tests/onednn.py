"""Make oneDNN sum in the order of another processor, to tell rounding from error.

oneDNN chops the sums of its convolutions by the sizes of the caches, so float32 results differ in their last bits from
processor to processor of one instruction set. It has no setting for them; `assume_caches` overwrites its record.
"""

import ctypes
import re
import struct
import subprocess

import tensorflow as tf

PUBLISHED_CACHES = (48 * 1024, 2 * 1024 * 1024)  # L1 and L2 in bytes of Intel's server processors with AMX


def assume_caches(sizes):
    """Overwrite what oneDNN knows of the L1 and L2 caches; call it before the first convolution of the tests.

    Raises RuntimeError where the record is not found, or not just once.
    """
    tf.nn.conv2d(tf.ones((1, 3, 3, 16)), tf.ones((3, 3, 16, 16)), 1, "SAME")  # oneDNN asks the processor here.
    actual = tuple(int(subprocess.check_output(["getconf", f"LEVEL{level}CACHE_SIZE"])) for level in ("1_D", "2_"))
    if actual == sizes:
        return
    record = struct.pack("<II", *actual)
    found = [
        start + match.start()
        for start, end in writable_memory("libtensorflow_cc")
        for match in re.finditer(re.escape(record), ctypes.string_at(start, end - start))
    ]
    if len(found) != 1:
        raise RuntimeError(f"oneDNN's record of the cache sizes {actual} was found {len(found)} times, not once")
    ctypes.memmove(found[0], struct.pack("<II", *sizes), len(record))


def writable_memory(library):
    """Yield (start, end) of this process's writable memory that belongs to a shared library, its zeroed part too."""
    with open("/proc/self/maps") as file:
        mappings = [line.split(maxsplit=5) for line in file]
    owner = ""
    for addresses, permissions, _, _, _, *name in mappings:  # The zeroed part has no name and follows its library.
        owner = name[0] if name else owner
        if permissions.startswith("rw") and library in owner:
            yield tuple(int(address, 16) for address in addresses.split("-"))
