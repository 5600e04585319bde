"""Packages that only some commands need."""

import importlib

from osmn.errors import InputError


def optional_import(name, requirements):
    """Return the package `name`; InputError, naming the file of `requirements` to install, where it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(f"{name} is not installed ({error}); pip install -r {requirements}") from None


def engine_import(name):
    """Return one of the packages that only other engines than TensorFlow, and exporting for them, need."""
    return optional_import(name, "requirements-engines.txt")
