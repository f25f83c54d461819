"""What all studies build on: configs and options, seeds, run folders, checkpoints and the training loop."""
