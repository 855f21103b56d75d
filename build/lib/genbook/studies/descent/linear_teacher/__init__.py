"""A linear student of a noisy linear teacher, where the whole course of test error has a formula."""
