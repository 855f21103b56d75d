"""The laws of coherence, checked on the per-example gradients of a small network, written out one by one."""
