"""From one epoch to the next: the key's and the model's shares go to other members, and nobody sees either.

`signing` has the protocols of the key; here is what a change of epoch is beyond them: what may differ between two
consortium files, the model's shares, the transcript that all sign, and the switch in two phases.
"""
