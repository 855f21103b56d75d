"""Double descent of networks by width, and what gradients and curvature do across the interpolation threshold."""
