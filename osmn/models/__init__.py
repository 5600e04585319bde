"""Models: weights on disk, networks that have them, exports, and the engines that run either."""
