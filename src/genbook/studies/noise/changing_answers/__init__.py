"""Changing answers: which label a network gives each example along training, and which it gives up again."""
