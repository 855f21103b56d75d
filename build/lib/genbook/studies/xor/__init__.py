"""Benign overfitting on XOR, and the delay before it generalizes."""
