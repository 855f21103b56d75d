"""Stability and batch size: what single examples bound, and how large a step a batch of some size bears."""
