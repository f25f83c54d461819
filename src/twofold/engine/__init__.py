"""The shared ground of both studies: config, seeds, run folders, checkpoints and the training loop."""
