"""Double descent of one network by the number of its training examples."""
