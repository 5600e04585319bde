"""Checkpoints are read without TensorFlow as TensorFlow reads them, and damage is found as TensorFlow finds it."""

import numpy as np
import pytest
import tensorflow as tf

from helpers import ROOT
from osmn.errors import InputError
from osmn.models.bundles import Bundle, crc32c

VALUES = {
    "a/weights": np.arange(12, dtype=np.float32).reshape(3, 4) / 7,
    "a/weights_of_a_long_name/that_shares/its_start": np.float16([[1.5, -2, 0.1]]),
    "b/double": np.array([np.pi]),
    "b/whole": np.array([1, -2, 2**40]),
    "b/scalar": np.array(3, np.int32),
    "c/empty": np.zeros((0, 2), np.float32),
    "c/large": np.random.default_rng(0).standard_normal((300, 70), np.float32),
}


def write(prefix, values):
    names = sorted(values)
    tensors = [tf.constant(values[name]) for name in names]
    tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=names, shape_and_slices=[""] * len(names), tensors=tensors)
    return prefix


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write(tmp_path_factory.mktemp("bundle") / "model", VALUES)


@pytest.mark.parametrize(
    ("data", "checksum"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),  # RFC 3720's check value of the CRC.
        (bytes(32), 0x8A9136AA),  # RFC 3720, B.4: 32 bytes of zeros, of ones, and counting up.
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_the_checksum_is_the_standards(data, checksum):
    assert crc32c(np.frombuffer(data, np.uint8)) == checksum


def test_the_checksum_of_any_length_is_that_of_a_bytewise_sum():
    rng = np.random.default_rng(0)
    for length in (*range(70), 127, 128, 129, 1000, 8193, 600_001):
        data = rng.integers(0, 256, length, np.uint8)
        state = 0xFFFFFFFF
        for byte in data.tolist() if length < 2000 else ():
            state ^= byte
            for _ in range(8):
                state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
        if length < 2000:
            assert crc32c(data) == state ^ 0xFFFFFFFF, length
        else:  # Another way to cut the same data in lanes: a sum goes on from the sum of what is before.
            assert crc32c(data) != crc32c(data[:-1])


def test_values_of_every_type_are_read_as_tensorflow_reads_them(bundle):
    found, reader = Bundle(bundle), tf.train.load_checkpoint(str(bundle))
    assert {name: list(shape) for name, shape in found.shapes.items()} == reader.get_variable_to_shape_map()
    for name, value in VALUES.items():
        read = found.read(name)
        np.testing.assert_array_equal(read, reader.get_tensor(name))
        assert read.dtype == (np.float32 if value.dtype == np.float16 else value.dtype)


def test_bfloat16_is_read_as_float32(tmp_path):
    values = tf.constant([1.0, -3.140625, 2.0**100], tf.bfloat16)
    tf.raw_ops.SaveV2(prefix=str(tmp_path / "m"), tensor_names=["a"], shape_and_slices=[""], tensors=[values])
    np.testing.assert_array_equal(Bundle(tmp_path / "m").read("a"), np.float32([1.0, -3.140625, 2.0**100]))


def test_a_checkpoint_of_many_variables_has_several_blocks(tmp_path):
    values = {f"scope_{i:04d}/weights": np.float32([i]) for i in range(3000)}
    found = Bundle(write(tmp_path / "many", values))
    assert len(found.shapes) == 3000
    assert all(found.read(name) == value for name, value in list(values.items())[::97])


def test_the_shipped_model_is_read_as_tensorflow_reads_it():
    path = ROOT / "models/osmn_lite"
    found, reader = Bundle(path), tf.train.load_checkpoint(str(path))
    assert set(found.shapes) == set(reader.get_variable_to_shape_map())
    for name in found.shapes:
        np.testing.assert_array_equal(found.read(name), reader.get_tensor(name).astype(np.float32))


def test_every_damaged_byte_of_the_index_is_found(bundle, tmp_path):
    index = (bundle.parent / "model.index").read_bytes()
    (tmp_path / "model.data-00000-of-00001").symlink_to(bundle.parent / "model.data-00000-of-00001")
    used = len(index) - 48  # The footer has bytes that nothing reads.
    for position in [*range(used), len(index) - 1]:
        damaged = bytearray(index)
        damaged[position] ^= 0x5A
        (tmp_path / "model.index").write_bytes(damaged)
        try:
            found = Bundle(tmp_path / "model")
        except InputError:
            continue
        # A block of metadata, which is empty, is not read.
        assert found.shapes == Bundle(bundle).shapes, position
    for length in range(len(index)):
        (tmp_path / "model.index").write_bytes(index[:length])
        with pytest.raises(InputError, match="is damaged or not a TensorFlow checkpoint"):
            Bundle(tmp_path / "model")


def test_damaged_values_are_found(bundle, tmp_path):
    data = (bundle.parent / "model.data-00000-of-00001").read_bytes()
    (tmp_path / "model.index").symlink_to(bundle.parent / "model.index")
    target = tmp_path / "model.data-00000-of-00001"
    with pytest.raises(InputError, match="No such file"):
        Bundle(tmp_path / "model").read("a/weights")
    for content, message in ((data[:40], "it ends before the value"), (bytes(len(data)), "has another checksum")):
        target.write_bytes(content)
        with pytest.raises(InputError, match=message):
            Bundle(tmp_path / "model").read("c/large")


def test_texts_and_numbers_that_are_not_finite_are_named(tmp_path):
    write(tmp_path / "m", {"nan": np.float32([1, np.nan])})
    with pytest.raises(InputError, match="nan holds numbers that are not finite"):
        Bundle(tmp_path / "m").read("nan")
    write(tmp_path / "t", {"text": np.array([b"abc"])})
    with pytest.raises(InputError, match="text"):
        Bundle(tmp_path / "t").read("text")
