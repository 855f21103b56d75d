"""Flows at the edge of stability: what follows gradient descent where gradient flow does not."""
