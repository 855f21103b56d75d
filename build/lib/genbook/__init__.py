"""genbook: a reproducible study book on why neural networks generalize."""

import os

# By default MKL forms the sums of a matrix product in an order that may depend on how many products stand beside it in
# a batch and on where its memory lies, so that on some processors the same program gives other bits from run to run.
# MKL reads this at its first product; a value of the user's own stays.
os.environ.setdefault("MKL_CBWR", "AUTO")

__version__ = "0.1.0"
