"""Diagonal linear networks: for which teachers large learning rates lower the risk, and for which they raise it."""
