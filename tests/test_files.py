"""What is kept in files between runs."""

import json
import os
import pickle
from pathlib import Path

import pytest

from osmn.files import cached

KEY, VALUE = [1, "a.json", 0.5], {"v": [[1, 2], "text"]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / ".kept.json"


def no_making():
    raise AssertionError("made again")


def test_a_value_is_made_once_for_a_key(path):
    assert cached(path, KEY, lambda: VALUE) == VALUE
    assert cached(path, KEY, no_making) == VALUE
    assert cached(path, [2], lambda: "other") == "other"
    assert cached(path, [2], no_making) == "other"
    assert [p.name for p in path.parent.iterdir()] == [path.name]


class Payload:
    """Pickled, it makes a file when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


WHOLE = json.dumps({"key": KEY, "value": "damaged"}).encode()


@pytest.mark.parametrize("content", [WHOLE[:-2], WHOLE[:9], b"", b"[]", b"{}", b"\xff", b'{"key": [1, "a.json", 0.5]}'])
def test_a_damaged_file_is_named_and_made_again(path, content, capsys):
    path.write_bytes(content)
    assert cached(path, KEY, lambda: VALUE) == VALUE
    assert f"{path} is damaged" in capsys.readouterr().err
    assert cached(path, KEY, no_making) == VALUE


def test_nothing_in_a_file_is_executed(path, capsys):
    path.write_bytes(pickle.dumps(Payload(path.with_name("executed"))))
    assert cached(path, KEY, lambda: VALUE) == VALUE
    assert not path.with_name("executed").exists()


def test_a_value_that_cannot_be_made_leaves_nothing(path):
    with pytest.raises(AssertionError):
        cached(path, KEY, no_making)
    assert not list(path.parent.iterdir())


def test_an_unwritable_folder_is_named_and_does_without(path, monkeypatch, capsys):
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert cached(path, KEY, lambda: VALUE) == VALUE
    assert f"{path.parent} is not writable" in capsys.readouterr().err
    assert not path.exists()
