"""Schedules of the learning rate on a convex problem: bounds of the last iterate, and schedules made from gradients."""
