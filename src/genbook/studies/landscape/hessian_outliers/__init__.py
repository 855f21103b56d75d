"""Outliers and bulk of the Hessian at the end of training."""
