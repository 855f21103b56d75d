"""Early learning in its simplest form: a linear classifier on two Gaussians, some of the labels random."""
