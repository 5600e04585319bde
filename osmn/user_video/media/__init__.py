"""Video files: frames and sound in, videos out."""
