"""Coherence on convolutions: one small network on real and on random labels, layer by layer."""
