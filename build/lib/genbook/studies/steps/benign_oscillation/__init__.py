"""Benign oscillation: learning rates too large to settle on the strong feature teach a network the weak one."""
