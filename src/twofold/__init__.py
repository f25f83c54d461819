"""twofold: epidemic trends from case counts and variational autoencoders on images, each with its honest account."""

__version__ = "0.1.0"
