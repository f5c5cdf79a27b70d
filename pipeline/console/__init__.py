"""The operations port: for people and Prometheus, never for emitters."""
