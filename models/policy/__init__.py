"""The policy network: a hedge learned on simulated paths as a residual on the Black-Scholes delta.

`config.PolicyConfig` says how to train, `training.train` gives the weights, `evaluation.evaluate` measures them beside
Black-Scholes delta; `network.PolicyNetwork` is the network in PyTorch, `band` what a desk can add at home.

What it is and is not:
It is trained for options that a desk has sold. It saves costs and cuts the worst losses by hedging as if gamma were
smaller; for an option that a desk has bought that is the wrong way round, and the right hedge is the mirror image,
twice the Black-Scholes delta less the published hedge: both are in the report. It does not know the desk's previous
hedge, which is that desk's secret; hedgers that do know theirs trade less. It knows one cost, that of its training.
"""
