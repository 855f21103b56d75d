"""Degeneracy: directions of a network's parameters that change nothing, on real and on random labels."""
