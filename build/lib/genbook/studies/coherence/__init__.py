"""What coherence is, and what it says of gradient descent."""
