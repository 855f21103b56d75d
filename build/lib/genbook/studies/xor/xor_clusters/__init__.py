"""Benign overfitting and grokking on XOR clusters: fitted in one step, understood later, wrong labels included."""
