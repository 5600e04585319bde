"""One-shot video object segmentation by network modulation (Yang et al., CVPR 2018), in TensorFlow 2."""

__version__ = "1.0.0"
__all__ = ["ModelConfig", "Predictor", "Segmentation"]


def __getattr__(name):
    """Import the public names when they are asked for: scripts that only score need no network."""
    if name == "ModelConfig":
        from osmn.config import ModelConfig

        return ModelConfig
    if name in ("Predictor", "Segmentation"):
        from osmn import predictor

        return getattr(predictor, name)
    raise AttributeError(f"module 'osmn' has no attribute {name!r}")
