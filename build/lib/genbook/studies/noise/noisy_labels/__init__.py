"""Learning from noisy labels: who is learned when, and which examples give themselves away."""
