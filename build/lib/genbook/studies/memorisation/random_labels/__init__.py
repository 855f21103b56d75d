"""Random versus real labels: the same networks, the same images, and labels that mean something or nothing."""
