"""Large steps on real data: large against small steps at equal training loss."""
