"""Schedules of the learning rate on a network, one of them made of the gradients of a run before."""
