"""From one epoch to the next: the key's and the model's shares go to other members, and nobody sees either.

`signing` has the protocols of the key; here is what a change of epoch is beyond them. Read in this order: `successor` and
`cast` (what may differ between two consortium files, and who meets), `beginning`, `moving` and the `model` modules (what is
computed), `recorded`, `transcript`, `fingerprint` and `checking` (what all sign, and who can check it), `ceremony` (the switch in
two phases), `standing` and `meeting` (how one that broke off is brought to its end). `member.resharing` runs them in a folder.
"""
