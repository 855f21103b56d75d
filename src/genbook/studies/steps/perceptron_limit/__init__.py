"""Logistic regression on separable data: as the step grows, gradient descent becomes the batch perceptron."""
