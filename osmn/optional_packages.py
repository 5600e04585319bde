"""Packages that only some commands need."""

import importlib
import sys

from osmn.errors import InputError


def optional_import(name, requirements):
    """Return the package `name`; InputError, naming the file of `requirements` to install, where it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(f"{name} is not installed ({error}); pip install -r {requirements}") from None


def engine_import(name):
    """Return one of the packages that only other engines than TensorFlow, and exporting for them, need.

    They are to send nothing anywhere: OpenVINO and NNCF would report to Google Analytics that they are used, from a
    process of its own that outlives a killed one, and keep an identity in the user's home. Without a package of theirs,
    which is made to look as if it were missing, they do not.
    """
    sys.modules.setdefault("openvino_telemetry", None)
    return optional_import(name, "requirements-engines.txt")
