"""Memorisable patches: what is learned first, and what is left to learn then, by the learning rate."""
