"""Where accepted records go: each publisher makes them durable before it returns."""
