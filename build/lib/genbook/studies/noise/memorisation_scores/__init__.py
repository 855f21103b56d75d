"""Memorisation scores: what a network would say of an example had it not been trained on it, by many retrainings."""
