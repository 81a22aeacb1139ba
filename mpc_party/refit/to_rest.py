"""From a committee's shares of the new weights to shares at rest of all n members, without anybody who sees the weights.

The committee's component x_c is known to two of its members, its holders (t = 1). Both split it alike, by the seed
that they share, into one part for each member a, x_c = sum over a of x_c^a, and give x_c^a to every member but a. The
component at rest that member a lacks is then y_a = x_0^a + x_1^a + x_2^a: the sum of all y_a is x, every member but a
knows y_a, and a itself lacks x_c^a for a component c that it does not hold, which is uniform to it. The salt of y_a comes about in
the same way, from parts that the holders draw together, so that no holder chooses it and a does not know it.
Source: Cramer, Damgard, Ishai, "Share conversion, pseudorandom secret-sharing", TCC 2005, section 3, with the parts dealt.

Every part comes from two holders and must be the same from both; every leaf hash of a component is computed by n - 1
members and must be the same at all. So one party that deviates here is found out before anything is stored.
"""

import hashlib
import struct
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from mpc_party.mesh import Exchange, FrameKind
from mpc_party.protocol.errors import Reason
from mpc_party.protocol.model_share import ModelHeader, component_leaf
from mpc_party.protocol.shares_at_rest import SharesAtRest
from mpc_party.secure import ReplicatedShares, SecureError
from mpc_party.secure.randomness import Purpose
from mpc_party.secure.steps import run
from mpc_party.secure.three import rerandomize

Words = NDArray[np.int64]
COMMITTEE = 3
_SALT_DOMAIN = b"mpc-hedge/refit-salt/v1"
_SALT_BYTES = 32
_SALT_WORDS = _SALT_BYTES // 8
_LEAF_BYTES = 32


def to_rest(
    links: Exchange,
    header: ModelHeader,
    committee: tuple[int, ...],
    weights: ReplicatedShares | None,
    names: tuple[str, ...],
) -> SharesAtRest:
    """Convert and cross-check. Collective: all n members; three rounds, the first among the committee only.

    Args:
        links: a session of all members.
        header: of the new model; threshold 1.
        committee: the member indices of the three that computed.
        weights: at the committee's members their shares, of `header.count` words at `header.fraction_bits`.
        names: the members' names, for errors.

    Cost: with w weights and n members, a holder sends n - 1 parts of 8 w + 32 bytes per component to each member that lacks
        it, and everybody 32 (n - 1) bytes to each other.
    Revealed: the leaf hashes, to all; their salts are known to who knows the components.

    Raises:
        SecureError: ECHO_MISMATCH, two members gave different parts or leaves; FRAME_MALFORMED, with the sender.
    """
    everybody = range(header.members)
    if header.threshold != 1 or len(committee) != COMMITTEE:
        raise SecureError(
            f"a refit deals with threshold 1 by a committee of {COMMITTEE}, not {header.threshold} and {committee}",
            reason=Reason.PROPOSAL_REFUSED,
        )
    own_parts: dict[int, dict[int, bytes]] = {}
    if weights is not None:
        own_parts = _split(_rerandomized(weights), header)
    parts = own_parts | _received(links, header, committee, own_parts, names)
    held: dict[tuple[int, ...], tuple[bytes, bytes]] = {}
    for lacking in everybody:
        if lacking != links.own:
            pieces = [parts[component][lacking] for component in range(COMMITTEE)]
            held[lacking,] = _joined(pieces)
    leaves = _agreed_leaves(links, held, names)
    return SharesAtRest(header, links.own, leaves, held)


def _rerandomized(weights: ReplicatedShares) -> ReplicatedShares:
    words = run(rerandomize(weights.session, weights.words.numpy()))
    return ReplicatedShares(weights.session, torch.from_numpy(words), weights.fraction_bits)


def _split(weights: ReplicatedShares, header: ModelHeader) -> dict[int, dict[int, bytes]]:
    """Per component that this party holds, per member: the part that this member must not have, words then salt.

    `weights` come rerandomized: their components are uniform, whatever the last operation on them was.
    """
    session, count = weights.session, header.count
    result = {}
    for slot in range(2):
        drawn = session.words(session.held[slot], Purpose.RANDOM_WORDS, (header.members - 1, count))
        salts = session.words(session.held[slot], Purpose.RANDOM_WORDS, (header.members, _SALT_WORDS))
        last = weights.words[slot].reshape(1, count).numpy() - drawn.sum(axis=0, keepdims=True)  # wraps
        words = np.concatenate([drawn, last]).astype("<i8")
        result[(session.position + slot) % COMMITTEE] = {
            member: words[member].tobytes() + salts[member].astype("<i8").tobytes()
            for member in range(header.members)
        }
    return result


def _received(
    links: Exchange,
    header: ModelHeader,
    committee: tuple[int, ...],
    own_parts: dict[int, dict[int, bytes]],
    names: tuple[str, ...],
) -> dict[int, dict[int, bytes]]:
    """Send the parts that others lack, and take those that this member lacks, each from both holders."""

    def holds(member: int, component: int) -> bool:
        return member in (committee[component], committee[component - 1])

    def lacks(member: int, sender: int) -> list[int]:
        return [c for c in range(COMMITTEE) if holds(sender, c) and not holds(member, c)]

    def others(member: int) -> list[int]:
        return [a for a in range(header.members) if a != member]

    outgoing = {
        peer: b"".join(own_parts[c][a] for c in lacks(peer, links.own) for a in others(peer))
        for peer in links.peers
        if lacks(peer, links.own)
    }
    senders = [peer for peer in links.peers if lacks(links.own, peer)]
    answers = links.exchange(FrameKind.CEREMONY, outgoing, senders)
    size = 8 * header.count + _SALT_BYTES
    copies: dict[int, list[dict[int, bytes]]] = {}
    for sender, frame in answers.items():
        components = lacks(links.own, sender)
        _require_length(frame, size * len(components) * (header.members - 1), names[sender])
        pieces = iter([frame[i : i + size] for i in range(0, len(frame), size)])
        for component in components:
            copies.setdefault(component, []).append({a: next(pieces) for a in others(links.own)})
    for component, (first, second) in copies.items():
        if first != second:
            raise _mismatch(
                f"{names[committee[component - 1]]} and {names[committee[component]]} deal different parts"
            )
    return {component: both[0] for component, both in copies.items()}


def _joined(pieces: list[bytes]) -> tuple[bytes, bytes]:
    """Salt and words of a component at rest, from the parts of the committee's three components."""
    words = sum(np.frombuffer(piece[:-_SALT_BYTES], dtype="<i8") for piece in pieces)
    salt = hashlib.sha256(_SALT_DOMAIN + b"".join(piece[-_SALT_BYTES:] for piece in pieces)).digest()
    return salt, np.asarray(words, dtype="<i8").tobytes()


def _agreed_leaves(
    links: Exchange, held: Mapping[tuple[int, ...], tuple[bytes, bytes]], names: tuple[str, ...]
) -> tuple[bytes, ...]:
    """All leaves, of which this member computes all but its own; every one must be the same at all who can compute it."""
    leaves = {subset[0]: component_leaf(subset, *held[subset]) for subset in held}
    mine = b"".join(leaves[a] for a in sorted(leaves))
    answers = links.exchange(FrameKind.CHECK, dict.fromkeys(links.peers, mine), links.peers)
    of_own: dict[bytes, str] = {}
    for peer, frame in answers.items():
        _require_length(frame, len(mine), names[peer])
        theirs = iter(struct.unpack(f"{_LEAF_BYTES}s" * (len(names) - 1), frame))
        for lacking in range(len(names)):
            if lacking == peer:
                continue
            leaf = next(theirs)
            if lacking == links.own:
                of_own.setdefault(leaf, names[peer])
            elif leaf != leaves[lacking]:
                raise _mismatch(f"{names[peer]} has another component than this member", names[peer])
    if len(of_own) != 1:
        raise _mismatch(f"{' and '.join(of_own.values())} have different components")
    leaves[links.own] = next(iter(of_own))
    return tuple(leaves[a] for a in sorted(leaves))


def _require_length(frame: bytes, expected: int, name: str) -> None:
    if len(frame) != expected:
        raise SecureError(
            f"{name} sent {len(frame)} bytes where the program has {expected}",
            reason=Reason.FRAME_MALFORMED,
            culprit=name,
        )


def _mismatch(message: str, culprit: str | None = None) -> SecureError:
    return SecureError(
        message,
        reason=Reason.ECHO_MISMATCH,
        culprit=culprit,
        remedy="nothing is stored; run the refit again, and find out who runs other software",
    )
