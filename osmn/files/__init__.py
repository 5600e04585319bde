"""What lies on disk: images, scores, JSON, names and locks; each file is written whole or not at all."""
