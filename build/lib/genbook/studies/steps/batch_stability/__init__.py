"""Stability and batch size: what single examples bound, and how large a learning rate a batch of some size bears."""
