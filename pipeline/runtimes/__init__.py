"""The runtimes: each drives the same topology over a log of its own."""
