"""Segmenting videos: the predictor, a dataset's videos, refinement. Nothing is imported here: see `models`."""
