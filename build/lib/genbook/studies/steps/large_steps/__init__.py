"""Large learning rates on real data: large against small ones at equal training loss."""
