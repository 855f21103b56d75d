"""Coherence with fresh examples: what a step on the training set does to others, and what that tells."""
