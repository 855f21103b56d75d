"""Squared loss by width: the peak of the test loss, and the least eigenvalue of the hidden activations."""
