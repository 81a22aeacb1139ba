"""Refit: the hedge model fitted anew under sharing, so that nobody ever holds its weights."""
