"""Flatness and the landscape of the training loss."""
