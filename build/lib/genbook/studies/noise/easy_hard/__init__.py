"""Easy and hard examples: what is learned early, by how many networks, and what each half is good for."""
