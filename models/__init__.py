"""Hedging models: what their owner trains and deals into shares that no single member can read."""
