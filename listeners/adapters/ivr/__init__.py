"""Telephone systems."""
