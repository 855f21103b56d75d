"""Weight decay and random labels."""
