"""Batches, gradient noise, and schedules of the learning rate."""
