"""OSMN: one-shot video object segmentation by network modulation (Yang et al., CVPR 2018), in TensorFlow 2."""
