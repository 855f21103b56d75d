"""XOR of two images side by side: does what holds for clusters of noise hold for clusters of handwriting?"""
