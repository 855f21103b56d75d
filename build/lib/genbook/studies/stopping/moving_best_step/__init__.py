"""A best step that moves: sizes, noise and learning rates that differ, so that no one step is right for all."""
