"""The doors: HTTP in, records out. A listener translates; it never interprets."""
