"""Random labels and real ones."""
