"""Edge of stability: the sharpness climbs to 2/step and stays there."""
