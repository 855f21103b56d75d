"""Double descent of convolutional networks by their channels and, at the critical number, by their examples."""
