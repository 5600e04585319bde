"""Datasets: which videos to segment, which examples to train on, what to score. Nothing here imports TensorFlow."""
