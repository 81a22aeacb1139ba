"""The desks' private inputs on shares of the committee: its own three desks', and those of members outside of it.

A member outside splits its words into three components at random and gives each committee member the two that it
holds, so that one of them learns nothing. Both holders of a component compare its hash afterwards.
"""

import hashlib
import secrets

import numpy as np
import torch

from mpc_party.mesh import Exchange, FrameKind
from mpc_party.protocol.errors import Reason
from mpc_party.refit.equations import COLUMNS, SIZE, Equations
from mpc_party.secure import ReplicatedShares, SecureError, SecureSession, share_from_each
from mpc_party.secure.encoding import encode

_WORDS = SIZE * COLUMNS
_FRAME = 2 * 8 * _WORDS


def deal_from_outside(
    links: Exchange, committee: tuple[int, ...], own: Equations, fraction_bits: int
) -> None:
    """Give the committee this member's input; one frame of 192 bytes to each of the three. For members outside."""
    value = encode(torch.from_numpy(own.root), fraction_bits).numpy().astype("<i8").reshape(-1)
    first, second = np.frombuffer(secrets.token_bytes(2 * 8 * _WORDS), dtype="<i8").reshape(2, _WORDS)
    components = [first, second, value - first - second]  # wraps: arithmetic in Z_2^64
    links.exchange(
        FrameKind.CEREMONY,
        {
            member: components[position].tobytes() + components[(position + 1) % 3].tobytes()
            for position, member in enumerate(committee)
        },
        [],
    )


def all_inputs(
    links: Exchange, session: SecureSession, own: Equations, names: tuple[str, ...]
) -> tuple[list[ReplicatedShares], list[str]]:
    """Shares of every member's (3, 4) and the members' names in the same order. For the committee; collective.

    Rounds: one, and two more where there are members outside.

    Raises:
        SecureError: ECHO_MISMATCH, an outside member's component is not the same at both holders.
    """
    inputs = share_from_each(torch.from_numpy(own.root))
    labels = [names[member] for member in session.committee]
    outside = [member for member in links.peers if member not in session.committee]
    if not outside:
        return inputs, labels
    frames = links.exchange(FrameKind.CEREMONY, {}, outside)
    received = []
    for member in outside:
        if len(frames[member]) != _FRAME:
            raise SecureError(
                f"{names[member]} sent {len(frames[member])} bytes where the program has {_FRAME}",
                reason=Reason.FRAME_MALFORMED,
                culprit=names[member],
            )
        words = np.frombuffer(frames[member], dtype="<i8").reshape(2, SIZE, COLUMNS).astype(np.int64)
        received.append(words)
        inputs.append(ReplicatedShares(session, torch.from_numpy(words), session.fraction_bits))
    # The previous party holds what is component 0 here as its component 1.
    first, second = (
        hashlib.sha256(np.stack([w[slot] for w in received]).tobytes()).digest() for slot in (0, 1)
    )
    previous, following = session.committee[session.previous], session.committee[session.next]
    answer = links.exchange(FrameKind.CHECK, {previous: first}, [following])[following]
    if answer != second:
        raise SecureError(
            f"what {', '.join(names[member] for member in outside)} dealt to {names[following]} and to this member differs",
            reason=Reason.ECHO_MISMATCH,
            remedy="nothing is stored; run the refit again",
        )
    return inputs, labels + [names[member] for member in outside]
