"""Filled in by its part of the spine."""
