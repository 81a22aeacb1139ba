"""Audit: what a member keeps of its rounds, how it opens one to a named auditor, and the replay in the clear.

A member keeps an `opening` of each round, encrypted to itself. On request it makes a `disclosure` of one round for one
auditor; `evidence` checks the committee's disclosures against what was committed to, and `verdict` replays the round from
them and compares. The auditor sees the committee's market inputs of that round and the model's weights; nobody's positions.
"""
