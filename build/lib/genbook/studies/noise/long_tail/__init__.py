"""The long tail: where many examples are the only ones of their kind, a network that memorises is right to do so."""
