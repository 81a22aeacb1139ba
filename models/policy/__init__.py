"""The policy network: a hedge learned on simulated paths as a residual on the Black-Scholes delta."""
