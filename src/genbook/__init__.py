"""genbook: a reproducible study book on why neural networks generalize."""

__version__ = "0.1.0"
