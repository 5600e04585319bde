"""What people give as a mask: pictures of many programs, and files of labeling tools, read as a person sees them."""

READINGS = ("ids", "colors", "soft", "ranks", "panoptic")  # Of `masks.read_mask`: how values and colors are read.
