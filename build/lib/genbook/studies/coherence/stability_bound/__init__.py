"""The generalization theorem of coherence, evaluated term by term on a small network along its run."""
