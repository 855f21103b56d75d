"""Noise that is added to the gradients of very deep networks, from poor starts and good ones."""
