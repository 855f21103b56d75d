"""Label permutations: labels that change hands in blocks of like images, from whole classes down to single examples."""
