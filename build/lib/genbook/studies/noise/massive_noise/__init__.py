"""Massive label noise: what a network learns when almost every label is random."""
