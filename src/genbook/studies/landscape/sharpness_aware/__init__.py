"""Training towards flat places, and what rescaling does to flatness."""
