"""Small batches and large ones: the same epochs, the same updates, ghost batches."""
