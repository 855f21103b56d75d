"""Logistic regression on separable data: as the learning rate grows, descent becomes the batch perceptron."""
