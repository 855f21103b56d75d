"""From no noise to nothing but noise: who drives the descent, and at what pace each group of examples is learned."""
