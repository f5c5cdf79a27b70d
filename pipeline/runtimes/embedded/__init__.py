"""One process, no broker, durable in one SQLite file."""
