"""What the touchpoints mean: the core, the catalogue, and the runtimes that drive them."""
