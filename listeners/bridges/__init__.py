"""Processes that stand beside a vendor and post what it says; they import nothing of the server."""
