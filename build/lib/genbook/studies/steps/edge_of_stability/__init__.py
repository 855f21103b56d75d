"""Edge of stability: the sharpness climbs to 2 / learning rate and stays there."""
