"""Backtest: the same log under two catalogues, and what would change. Pure; a command reads."""
