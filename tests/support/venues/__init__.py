"""Venues of our own: servers that speak an exchange's side of its protocol."""
