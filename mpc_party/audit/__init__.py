"""Audit: what a member keeps of its rounds, how it opens one to a named auditor, and the replay in the clear."""
