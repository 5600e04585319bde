"""Images that cannot fit into memory."""

import os

import pytest

from osmn.config import ModelConfig
from osmn.errors import InputError, naming_options
from osmn.models.memory import check_images


@pytest.mark.parametrize(
    ("base_model", "size", "batch_size", "message"),
    [
        ("lite", (1000, 1000), 1_000_000, "1000000 images of 1000x1000 pixels .* smaller --im_size or --batch_size$"),
        ("osvos", (16384, 16384), 1_000, "--im_size or --batch_size$"),
        ("osvos", (16384, 16384), 1, "^an image of 16384x16384 pixels needs? over 32 GiB of memory.* --im_size$"),
    ],
)
def test_images_that_cannot_fit_into_memory_are_refused_before_they_are_made(
    monkeypatch, base_model, size, batch_size, message
):
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 2**22, "SC_PAGE_SIZE": 4096}.get)  # 16 GiB
    with naming_options(), pytest.raises(InputError, match=message):
        check_images(ModelConfig(base_model), size, batch_size)
    check_images(ModelConfig(base_model), (854, 480), 8)


def test_of_a_model_with_an_aligned_size_that_is_what_must_fit(monkeypatch):
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 2**22, "SC_PAGE_SIZE": 4096}.get)  # 16 GiB
    config = ModelConfig("osvos", aligned_size=(16384, 16384))
    with (
        naming_options(),
        pytest.raises(
            InputError, match=r"^an image of 16384x16384 pixels with 2 objects needs .* smaller --aligned_size$"
        ),
    ):
        check_images(config, (64, 48), objects=2)
    with pytest.raises(InputError, match=r"^images of 64x49 do not fit into the model's aligned size, 64x48"):
        check_images(ModelConfig("lite", aligned_size=(64, 48)), (64, 49))
    check_images(ModelConfig("lite", aligned_size=(64, 48)), (64, 48))
