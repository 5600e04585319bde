"""ImageNet weights to start a training from: their formats, and VGG16 rescaled."""
