"""Networks that several tests of checkpoints fill."""

import pytest


@pytest.fixture(scope="module")
def osvos():
    """Return the published network without its visual modulator, of zeros: to be given weights."""
    from helpers import zero_networks
    from osmn.config import ModelConfig

    return zero_networks.build(ModelConfig(no_visual_modulator=True))


@pytest.fixture
def forget(request):
    """Have a test begin with networks `lite` and `osvos` of zeros."""
    from helpers import zero_networks

    for name in ("lite", "osvos"):
        if name in request.fixturenames:
            zero_networks.forget(request.getfixturevalue(name))
