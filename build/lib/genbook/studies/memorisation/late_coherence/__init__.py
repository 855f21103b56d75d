"""Late coherence: why the gradients of random labels agree late, and what is left of it where steps are small."""
