"""Systems in which agents work."""
