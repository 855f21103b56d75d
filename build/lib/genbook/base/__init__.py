"""The ground floor: specs, claims, statistics, streams, files, recipes; no torch, so that all of it answers at once."""
