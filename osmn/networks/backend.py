"""Keras on TensorFlow, whatever backend the user's Keras is configured for. Other modules import `keras` from here."""

import contextlib
import os
from collections.abc import Iterator

from osmn.errors import InputError

NEEDED = "tensorflow"

try:
    import keras
except ImportError as error:  # Keras imports its backend at once, which may not be installed.
    if error.name == "keras":
        raise
    configured = os.environ.get("KERAS_BACKEND") or "another"
else:
    configured = keras.config.backend()
if configured != NEEDED:
    raise InputError(
        f"the Keras backend must be {NEEDED}, but {configured} is configured by KERAS_BACKEND in the environment or by "
        f"keras.json in KERAS_HOME or ~/.keras; set KERAS_BACKEND={NEEDED}"
    )


@contextlib.contextmanager
def standard_settings() -> Iterator[None]:
    """Have Keras build in float32 and with channels last in a `with` block; restore the user's settings after it.

    For what Keras builds from its settings alone, such as `keras.applications`.
    """
    policy, data_format = keras.config.dtype_policy(), keras.config.image_data_format()
    keras.config.set_dtype_policy("float32")
    keras.config.set_image_data_format("channels_last")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        keras.config.set_image_data_format(data_format)
