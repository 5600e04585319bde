"""TensorFlow's checkpoints read without TensorFlow: a table of variables (.index), and their values (.data-...).

The table is in LevelDB's format: https://github.com/google/leveldb/blob/main/doc/table_format.md. Its entries are
BundleEntryProto of TensorFlow (core/protobuf/tensor_bundle.proto). Every block and every value has a CRC-32C.
"""

from __future__ import annotations

import functools
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from osmn.errors import InputError, in_short
from osmn.models.checkpoint_files import TABLE_END

# TensorFlow's numbers of types (core/framework/types.proto) whose values are taken as they are.
DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 4: "u1", 5: "<i2", 6: "i1", 9: "<i8", 19: "<f2"}
BFLOAT16 = 14
FOOTER = 48  # Bytes.
LANES = 2**13  # Of a checksum: parts that are summed side by side.


class _Entry(NamedTuple):
    """Where the value of a variable is, and what it is."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    checksum: int


class Bundle:
    """The variables of a checkpoint, given its prefix; InputError names it if it is damaged.

    Attributes:
        path: the prefix.
        shapes: {name of a variable: its shape}.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        try:
            table = dict(_table(Path(f"{path}.index").read_bytes()))
            self._shards = int(_fields(table.pop(b""))[1][0])
            self._entries = {name.decode(): _entry(value) for name, value in table.items()}
        except (OSError, ValueError, KeyError, IndexError, struct.error) as error:
            raise self._damaged(error) from None
        self.shapes: Mapping[str, Sequence[int]] = {name: entry.shape for name, entry in self._entries.items()}

    def read(self, name: str) -> np.ndarray:
        """Return the value of the variable `name`; half precision, which shipped models have, as float32.

        Raises InputError for a value that is damaged or not finite.
        """
        try:
            value = self._value(name, self._entries[name])
        except (OSError, ValueError, KeyError) as error:
            raise self._damaged(error) from None
        return value.astype(np.float32) if value.dtype == np.float16 else value

    def _value(self, name: str, entry: _Entry) -> np.ndarray:
        raw = np.empty(entry.size, np.uint8)
        with Path(f"{self.path}.data-{entry.shard:05d}-of-{self._shards:05d}").open("rb") as file:
            file.seek(entry.offset)
            if file.readinto(raw.data) != entry.size:
                raise ValueError(f"it ends before the value of {name}")
        if _masked(crc32c(raw)) != entry.checksum:
            raise ValueError(f"{name} has another checksum")
        if entry.dtype == BFLOAT16:
            value = (raw.view("<u2").astype(np.uint32) << 16).view(np.float32)
        elif entry.dtype in DTYPES:
            value = raw.view(DTYPES[entry.dtype])
        else:
            raise ValueError(f"{name} holds no numbers")
        value = value.reshape(entry.shape)
        if not np.isfinite(value).all():
            raise ValueError(f"{name} holds numbers that are not finite")
        return value

    def _damaged(self, error: Exception) -> InputError:
        what = error.strerror if isinstance(error, OSError) else in_short(error)
        return InputError(f"{self.path} is damaged or not a TensorFlow checkpoint ({what}); download or copy it again")


def _table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the (key, value) pairs of a table."""
    if not content.endswith(TABLE_END):
        raise ValueError("its index is cut short")
    footer = memoryview(content)[-FOOTER:]
    position = 0
    for _ in range(2):  # The first block is of metadata.
        (offset, position), (size, position) = _two_varints(footer, position)
    for _, handle in _block(content, offset, size):
        (offset, position), (size, _) = _two_varints(memoryview(handle), 0)
        yield from _block(content, offset, size)


def _two_varints(data: memoryview, position: int) -> tuple[tuple[int, int], tuple[int, int]]:
    first = _varint(data, position)
    return first, _varint(data, first[1])


def _block(content: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the (key, value) pairs of a block; each key is given by how it differs from the key before."""
    end = offset + size
    kind, checksum = struct.unpack_from("<BI", content, end)
    if _masked(crc32c(np.frombuffer(content[offset : end + 1], np.uint8))) != checksum:
        raise ValueError("its index has another checksum")
    if kind:
        raise ValueError("its index is compressed")
    (restarts,) = struct.unpack_from("<I", content, end - 4)
    data, key, position = memoryview(content)[offset : end - 4 * (restarts + 1)], b"", 0
    while position < len(data):
        shared, position = _varint(data, position)
        (unshared, position), (length, position) = _two_varints(data, position)
        key = key[:shared] + bytes(data[position : position + unshared])
        position += unshared
        yield key, bytes(data[position : position + length])
        position += length


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """Return a whole number in 7 bits a byte, and the position after it."""
    value = shift = 0
    while True:
        byte = data[position]
        value, shift, position = value | (byte & 127) << shift, shift + 7, position + 1
        if byte < 128:
            return value, position


def _fields(message: bytes) -> dict[int, list[int | bytes]]:
    """Return {field number: values} of a message of protocol buffers."""
    data, position = memoryview(message), 0
    found: dict[int, list[int | bytes]] = {}
    while position < len(data):
        tag, position = _varint(data, position)
        value: int | bytes
        if tag & 7 == 0:
            value, position = _varint(data, position)
        elif tag & 7 == 2:
            length, position = _varint(data, position)
            value, position = bytes(data[position : position + length]), position + length
        elif tag & 7 == 5:
            value, position = struct.unpack_from("<I", data, position)[0], position + 4
        else:
            raise ValueError("its index holds what TensorFlow does not write")
        found.setdefault(tag >> 3, []).append(value)
    return found


def _entry(message: bytes) -> _Entry:
    fields = _fields(message)
    if 7 in fields:
        raise ValueError("its variables are cut in slices")
    dimensions = [_fields(bytes(each)).get(1, [0])[0] for each in _fields(bytes(fields.get(2, [b""])[0])).get(2, [])]
    dtype, shard, offset, size, checksum = (int(fields.get(number, [0])[0]) for number in (1, 3, 4, 5, 6))
    return _Entry(dtype, tuple(map(int, dimensions)), shard, offset, size, checksum)


def _masked(checksum: int) -> int:
    """Return a checksum as LevelDB stores it: rotated and with a constant added, for data that holds checksums."""
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


@functools.cache
def _steps() -> tuple[np.ndarray, np.ndarray]:
    """Return what the low and the high 16 bits of a word become in the sum by four bytes: uint32 (65536,) each."""
    values = np.arange(2**16, dtype=np.uint32)
    tables = []
    for shift in (0, 16):
        state = values << np.uint32(shift)
        for _ in range(32):
            state = np.where(state & 1, (state >> 1) ^ np.uint32(0x82F63B78), state >> 1)
        tables.append(state)
    return tables[0], tables[1]


def _further(state: np.ndarray) -> np.ndarray:
    """Return the sums `state`, uint32, after four more bytes of zeros; with a word, XOR it to `state` first."""
    low, high = _steps()
    return low[state & 0xFFFF] ^ high[state >> 16]


def crc32c(data: np.ndarray) -> int:
    """Return the CRC-32C of bytes, uint8 (n,): 0.2 s for 25 MB.

    The data is cut in lanes of the same length, which are summed side by side. A sum is linear in the data, so the
    lanes' sums are joined by moving each over the zeros that would follow it.
    """
    if len(data) < 4:
        # Below, the first four bytes are inverted. Here there are fewer.
        total = 0xFFFFFFFF
        for byte in data.tolist():
            total ^= byte
            for _ in range(8):
                total = total >> 1 ^ (0x82F63B78 if total & 1 else 0)
        return total ^ 0xFFFFFFFF
    lanes = min(LANES, 2 ** max(0, (len(data) // 64).bit_length() - 1))
    words = math.ceil(len(data) / (4 * lanes))  # Of a lane.
    padded = np.zeros(4 * lanes * words, np.uint8)
    padded[-len(data) :] = data  # Zeros before the data change nothing.
    begin = len(padded) - len(data)
    padded[begin : begin + 4] ^= 0xFF
    columns = np.ascontiguousarray(padded.view("<u4").reshape(lanes, words).T)
    state = np.zeros(lanes, np.uint32)
    for column in columns:
        state = _further(state ^ column)
    move = _over_zeros(words)
    while len(state) > 1:
        state = _moved(state[::2], move) ^ state[1::2]
        move = _moved(move, move)
    return int(state[0]) ^ 0xFFFFFFFF


@functools.cache
def _over_zeros(words: int) -> np.ndarray:
    """Return what each bit of a sum becomes after so many words of zeros, uint32 (32,)."""
    move = np.uint32(1) << np.arange(32, dtype=np.uint32)
    for _ in range(words):
        move = _further(move)
    return move


def _moved(state: np.ndarray, move: np.ndarray) -> np.ndarray:
    """Return the XOR, for each of `state`, of those of `move`, uint32 (32,), whose bits are set in it."""
    bits = state[:, None] >> np.arange(32, dtype=np.uint32) & 1
    return np.bitwise_xor.reduce(np.where(bits, move, np.uint32(0)), axis=1)
