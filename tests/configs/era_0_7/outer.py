"""Documented."""
