"""What a network sees: guides, samples and batches. Nothing is imported here: not all of it needs TensorFlow."""
