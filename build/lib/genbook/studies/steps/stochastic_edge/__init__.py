"""The edge of stochastic stability: with small batches it is the curvature of the batches that comes to 2 / η."""
