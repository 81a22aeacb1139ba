"""The Merkle root over the committee's commitments to its private inputs.

The tree of RFC 6962, section 2.1, with SHA-256: a leaf hashes under 0x00 and a node under 0x01, so that neither can pass
for the other, and an odd node moves up unchanged.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

from mpc_party.protocol.errors import ReportError

_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Give the root over 32-byte leaves, in the order given (the committee's).

    Raises:
        ReportError: no leaf, or one that has not 32 bytes.
    """
    for index, leaf in enumerate(leaves):
        if len(leaf) != 32:
            raise ReportError(f"Merkle leaf {index} has {len(leaf)} bytes, not 32")
    return tree_root(leaves)


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """Give the root over leaves of any length: RFC 6962's Merkle Tree Hash of a list that is not empty."""
    if not leaves:
        raise ReportError("a Merkle tree without leaves")
    level = [hashlib.sha256(_LEAF + leaf).digest() for leaf in leaves]
    while len(level) > 1:
        paired = [
            hashlib.sha256(_NODE + level[at] + level[at + 1]).digest() for at in range(0, len(level) - 1, 2)
        ]
        level = paired + level[len(paired) * 2 :]
    return level[0]
