"""Wrong labels, and examples that are hard or rare."""
