"""Packages that only some commands need."""

import importlib
import sys
from types import ModuleType
from typing import cast

from osmn.errors import InputError


def optional_import(name: str, requirements: str) -> ModuleType:
    """Return the package `name`; raise InputError, which names the file `requirements`, if the package is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(f"{name} is not installed ({error}); pip install -r {requirements}") from None


def engine_import(name: str) -> ModuleType:
    """Return a package that only the engines other than TensorFlow, and the export for these engines, need.

    The package must not send data to anyone. OpenVINO and NNCF report their use to Google Analytics, from a separate
    process that outlives a killed program, and keep an identity in the user's home. They do so by the package
    `openvino_telemetry`; this function makes that package look missing.
    """
    modules = cast(dict[str, ModuleType | None], sys.modules)  # Python takes None for a package that is missing.
    modules.setdefault("openvino_telemetry", None)
    return optional_import(name, "requirements-engines.txt")
