"""Depth and coherence: networks of one to four hidden layers on real and on random labels."""
