"""Scores of result folders, returned as values; `tables` prints and writes them. Nothing here imports TensorFlow."""
