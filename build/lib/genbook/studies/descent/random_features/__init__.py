"""Random features trained by descent: when the optimiser reaches the peak of double descent, and when not."""
