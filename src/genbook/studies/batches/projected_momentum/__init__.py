"""Weights that grow under momentum, and the projected update that stops them."""
