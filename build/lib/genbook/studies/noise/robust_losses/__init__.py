"""Robust losses beside robust averages on wrong labels, in a convolutional network."""
