"""From no noise to nothing but noise: who drives the descent, and at what pace clean and corrupted examples are learned."""
