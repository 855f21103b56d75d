"""Learning rates as a function of batch size: the curvature of batches, and what SGD and Adam bear."""
