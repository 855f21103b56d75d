"""Noise regimes."""
