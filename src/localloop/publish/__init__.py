"""Images under their immutable tags: pushed, verified, pruned."""
