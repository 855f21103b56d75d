"""A PAC-Bayes bound on the error of a stochastic network, made small by gradient descent: one that is not vacuous."""
