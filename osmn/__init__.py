"""One-shot video object segmentation by network modulation (Yang et al., CVPR 2018), in TensorFlow 2."""

from typing import TYPE_CHECKING

from osmn.results.program import __version__

if TYPE_CHECKING:  # For mypy and editors; `__getattr__` imports them.
    from osmn.config import ModelConfig
    from osmn.inference.live import LiveTracker
    from osmn.inference.predictor import Predictor, Segmentation
    from osmn.user_video.given.objects import read_objects

__all__ = ["LiveTracker", "ModelConfig", "Predictor", "Segmentation", "__version__", "read_objects"]


def __getattr__(name: str) -> object:
    """Import the public names when they are asked for: scripts that only score need no network."""
    if name == "ModelConfig":
        from osmn.config import ModelConfig

        return ModelConfig
    if name == "LiveTracker":
        from osmn.inference.live import LiveTracker

        return LiveTracker
    if name in ("Predictor", "Segmentation"):
        from osmn.inference import predictor

        return getattr(predictor, name)
    if name == "read_objects":
        from osmn.user_video.given.objects import read_objects

        return read_objects
    raise AttributeError(f"module 'osmn' has no attribute {name!r}")
