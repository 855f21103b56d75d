"""Two data sets, one difference: six weights, four examples, and a feature that the examples share or do not."""
