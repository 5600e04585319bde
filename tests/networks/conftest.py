"""What tests of the networks ask of the processor."""

import pytest
import tensorflow as tf


@pytest.fixture
def computes_bfloat16():
    """Skip where TensorFlow gives bfloat16 to a oneDNN that is kept from it.

    It decides by the processor's flags, and ONEDNN_MAX_CPU_ISA takes the instructions from oneDNN alone: a state that
    no processor is in. On one without the flags, TensorFlow's own kernels compute.
    """
    try:
        tf.nn.conv2d(tf.ones((1, 4, 4, 8), tf.bfloat16), tf.ones((3, 3, 8, 8), tf.bfloat16), 1, "SAME")
    except tf.errors.AbortedError:
        pytest.skip("ONEDNN_MAX_CPU_ISA keeps oneDNN from the bfloat16 that TensorFlow gives it")
