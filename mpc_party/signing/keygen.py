"""Distributed key generation: Feldman's sharing by every member, summed (Pedersen 1991), with commitments.

Four exchanges among all n members, and an empty one to part. `KeygenParty` is the protocol, `run_keygen` carries its messages.

1. commit  - to all: hash of the Feldman vector A_i0 .. A_it, A_ik = a_ik G, of this member's polynomial f_i.
2. open    - to all: the vector, of length exactly t+1, and a proof of knowledge of a_i0.
3. deal    - to each j: f_i(j), and the echo of steps 1 and 2.
4. confirm - to all: hash of all of the above and of the result. Sent only after every check has passed.

Result: x_i = sum of f_j(i), Y = sum of A_j0, X_j = sum over dealers of the committed value at j.

The echo of steps 1 and 2 may ride on the shares: a member's shares do not depend on what it heard, and whoever
equivocates learns from t honest shares nothing that it would not learn anyway. The result is not computed before
the echoes agree, and is not returned before all have confirmed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from mpc_party.mesh.errors import PeerDisputes
from mpc_party.mesh.exchange import DisputableExchange, FrameKind
from mpc_party.protocol.errors import Reason
from mpc_party.signing.channel import EVERYBODY, Channel, MessageKeys
from mpc_party.signing.curve import Point, multiply_base
from mpc_party.signing.dispute import is_disputable, settle
from mpc_party.signing.echo import compare_echoes, hash_broadcasts
from mpc_party.signing.errors import SigningError
from mpc_party.signing.evidence import DONE, Claim, Disclosure
from mpc_party.signing.exponent import evaluate_commitments
from mpc_party.signing.field import coordinate, encode_scalar
from mpc_party.signing.judge_keygen import STAGE, KeygenCase, complaints
from mpc_party.signing.keygen_rules import (
    COMMIT,
    CONFIRM,
    DEAL,
    OPEN,
    RuleError,
    check_opening,
    combine,
    hash_of_result,
    hash_of_vector,
)
from mpc_party.signing.keyshare import KeyShare
from mpc_party.signing.proof import prove
from mpc_party.signing.scalar import SecretScalar, evaluate, total
from mpc_party.signing.steps import Steps
from mpc_party.signing.wire import (
    KeygenCommit,
    KeygenConfirm,
    KeygenDeal,
    KeygenOpen,
    M,
    decode_all,
    encode,
)


@dataclass(frozen=True)
class KeygenContext:
    """What all messages of one key generation are bound to; the same at every member.

    `ceremony` is fresh for each attempt (32 bytes); `names` are the members' names in the order of the file.
    """

    roster_hash: bytes
    epoch: int
    threshold: int
    names: tuple[str, ...]
    ceremony: bytes

    @property
    def members(self) -> tuple[int, ...]:
        """All member indices."""
        return tuple(range(len(self.names)))

    @property
    def case(self) -> KeygenCase:
        """What a judge is told of it."""
        return KeygenCase(self.roster_hash, self.epoch, self.threshold, len(self.names), self.ceremony)

    @property
    def session(self) -> bytes:
        """32 bytes that every message carries."""
        return self.case.session


class KeygenParty(Steps):
    """One member's side of key generation, as a state machine without I/O: each step once and in order.

    Every step takes the peers' messages of the step before and gives this member's own. A `SigningError` ends
    the ceremony; the object is then of no further use.
    """

    def __init__(self, context: KeygenContext, own: int) -> None:
        super().__init__("commit")
        members = len(context.names)
        if not (members >= 3 and context.threshold >= 1 and 2 * context.threshold < members):
            raise SigningError(
                f"{members} members cannot share a key with threshold {context.threshold}: it takes 2t < n and t >= 1",
                reason=Reason.KEYGEN_FAILED,
            )
        if own not in context.members:
            raise SigningError(f"no member has the index {own}", reason=Reason.KEYGEN_FAILED)
        self.context = context
        self.own = own
        self.peers = tuple(member for member in context.members if member != own)
        self._session = context.session
        self._polynomial: list[SecretScalar] = []
        self._vectors: dict[int, list[Point]] = {}
        self._commitments: dict[int, bytes] = {}
        self._broadcasts: dict[int, list[bytes]] = {member: [] for member in context.members}
        self._echo: tuple[bytes, ...] = ()
        self._result: KeyShare | None = None

    def commit(self) -> bytes:
        """Step 1: the message to all."""
        with self._step("commit", then="open"):
            self._polynomial = [SecretScalar.random() for _ in range(self.context.threshold + 1)]
            vector = [multiply_base(coefficient) for coefficient in self._polynomial]
            self._vectors[self.own] = vector
            commitment = self._hash_of_vector(self.own, [point.encode() for point in vector])
            return self._broadcast(encode(KeygenCommit(self._session, self.own, commitment)))

    def open(self, commits: Mapping[int, bytes]) -> bytes:
        """Step 2: the message to all, once every member is committed."""
        with self._step("open", then="deal"):
            self._commitments = {
                peer: message.commitment for peer, message in self._receive(KeygenCommit, commits).items()
            }
            vector = self._vectors[self.own]
            proof = prove(self._polynomial[0], vector[0], session=self._session, sender=self.own)
            message = KeygenOpen(
                self._session,
                self.own,
                tuple(point.encode() for point in vector),
                proof.commitment.encode(),
                encode_scalar(proof.response),
            )
            return self._broadcast(encode(message))

    def deal(self, opens: Mapping[int, bytes]) -> dict[int, bytes]:
        """Step 3: the private message to each peer, once every opening has passed its checks."""
        with self._step("deal", then="confirm"):
            for peer, message in self._receive(KeygenOpen, opens).items():
                self._vectors[peer] = self._check_opening(peer, message)
            self._echo = hash_broadcasts(self._broadcasts)
            return {
                peer: encode(
                    KeygenDeal(
                        self._session,
                        self.own,
                        peer,
                        evaluate(self._polynomial, coordinate(peer)).reveal(),
                        self._echo,
                    )
                )
                for peer in self.peers
            }

    def confirm(self, deals: Mapping[int, bytes]) -> bytes:
        """Step 4: the message to all, once the echoes agree and every share lies on its dealer's polynomial."""
        with self._step("confirm", then="finish"):
            received = self._receive(KeygenDeal, deals, broadcast=False)
            compare_echoes(
                self.own,
                self.context.members,
                self._echo,
                {peer: message.echo for peer, message in received.items()},
                self.context.names,
            )
            shares = {peer: self._check_share(peer, message) for peer, message in received.items()}
            own = evaluate(self._polynomial, coordinate(self.own))
            self._polynomial = []
            self._result = self._combine(own, shares)
            return encode(KeygenConfirm(self._session, self.own, self._hash_of_result(self._result)))

    def finish(self, confirms: Mapping[int, bytes]) -> KeyShare:
        """The key share, once every member has confirmed the same result."""
        with self._step("finish", then=None):
            if self._result is None:
                raise SigningError("key generation has no result", reason=Reason.INTERNAL)
            expected = self._hash_of_result(self._result)
            for peer, message in self._receive(KeygenConfirm, confirms, broadcast=False).items():
                if message.result != expected:
                    # Its echo agreed with ours, and the result is a function of what was echoed.
                    raise SigningError(
                        "another result of key generation is confirmed",
                        reason=Reason.ECHO_MISMATCH,
                        culprit=self.context.names[peer],
                    )
            return self._result

    def _broadcast(self, message: bytes) -> bytes:
        self._broadcasts[self.own].append(message)
        return message

    def _receive(
        self, kind: type[M], messages: Mapping[int, bytes], *, broadcast: bool = True
    ) -> dict[int, M]:
        decoded = decode_all(
            kind,
            messages,
            session=self._session,
            own=self.own,
            peers=self.peers,
            names=self.context.names,
            reason=Reason.KEYGEN_FAILED,
        )
        if broadcast:
            for peer in self.peers:
                self._broadcasts[peer].append(bytes(messages[peer]))
        return decoded

    def _refuse(self, what: str, culprit: int) -> SigningError:
        return SigningError(what, reason=Reason.KEYGEN_FAILED, culprit=self.context.names[culprit])

    def _hash_of_vector(self, sender: int, vector: list[bytes]) -> bytes:
        return hash_of_vector(self._session, sender, vector)

    def _check_opening(self, peer: int, message: KeygenOpen) -> list[Point]:
        try:
            return check_opening(
                self._session,
                peer,
                message,
                commitment=self._commitments[peer],
                threshold=self.context.threshold,
            )
        except RuleError as broken:
            raise self._refuse(str(broken), peer) from None

    def _check_share(self, peer: int, message: KeygenDeal) -> SecretScalar:
        try:
            return SecretScalar(message.share)  # a share of zero has probability 1/q and is refused
        except ValueError:
            raise self._refuse("a private share is no scalar in [1, q)", peer) from None

    def _combine(self, own: SecretScalar, shares: Mapping[int, SecretScalar]) -> KeyShare:
        """x_i from the sum of the shares; Y, and all X_j from the sum of the Feldman vectors."""
        members = self.context.members
        result = combine([self._vectors[member] for member in members], members)
        if result is None:
            raise SigningError("a coefficient of the group's polynomial is zero", reason=Reason.KEYGEN_FAILED)
        try:
            share = total([own, *shares.values()])
        except ValueError as failure:  # x_i is zero, or what came before is: probability 1/q
            raise SigningError(f"the key does not fit: {failure}", reason=Reason.KEYGEN_FAILED) from None
        # The protocol: "private shares, checked in the exponent": f_j(i) G = sum of i^k A_jk, for all dealers j at once, in
        # x_i G = X_i. Where that fails, one by one, to name the dealer. Errors of several dealers that cancel are none.
        if multiply_base(share).encode() != result[1][self.own]:
            self._name_dealer(shares)
        try:
            return KeyShare(
                self.own,
                self.context.threshold,
                self.context.epoch,
                self.context.roster_hash,
                *result,
                share,
            )
        except ValueError as failure:
            raise SigningError(f"the key does not fit: {failure}", reason=Reason.KEYGEN_FAILED) from None

    def _name_dealer(self, shares: Mapping[int, SecretScalar]) -> NoReturn:
        for peer, share in shares.items():
            if evaluate_commitments(self._vectors[peer], coordinate(self.own)) != multiply_base(share):
                raise self._refuse("a private share does not lie on its dealer's polynomial", peer)
        raise SigningError("this member's share does not fit", reason=Reason.INTERNAL)

    def _hash_of_result(self, result: KeyShare) -> bytes:
        return hash_of_result(self._session, self._echo, result.public_key, result.public_shares)


def run_keygen(exchange: DisputableExchange, context: KeygenContext, keys: MessageKeys) -> KeyShare:
    """Generate the group's key. Collective: all n members call it, with equal contexts.

    Rounds: 5 exchanges of kind CEREMONY, the last one empty. Bytes sent to each peer: 799 for n = 3, 867 for n = 5 (35 more per t). After a failed
    check, 3 more of kind DISPUTE (see `dispute.settle`). Processes of their own on two cores, TLS on loopback, n = 3, 5, 7 with
    t = 1, 2, 3: p50 3.8, 10.7, 19.5 ms, p95 5.3, 14.4, 25.5; CPU of one party 1.9, 3.7, 5.0 (tests/benchmarks/bench_signing.py).
    Reveals: to all, Y and X_j (public); to any t members together, nothing about x. In a dispute, what was broadcast, and the deals
    of a member at fault, or of this key, which then does not come about.

    Args:
        exchange: the mesh among all members of `context.names`.
        context: what the ceremony is bound to. It is for one run: who signs two of one context looks like a cheat.
        keys: this member's identity, and everybody's public keys.

    Raises:
        SigningError: KEYGEN_FAILED, ECHO_MISMATCH, MESSAGE_FORGED or DISPUTED, with a culprit where one is proven, attested or
            seen here (the message says which), and with `evidence`. Start again with a new `ceremony`.
        MeshError: a member is silent or gone.

    Source: Feldman 1987; Pedersen 1991. The commitments come first because otherwise whoever speaks last picks its
    part knowing the others' (Gennaro, Jarecki, Krawczyk, Rabin 2007).
    """
    return drive_keygen(exchange, KeygenParty(context, exchange.own), keys)


def drive_keygen(exchange: DisputableExchange, party: KeygenParty, keys: MessageKeys) -> KeyShare:
    """Carry the messages of one `KeygenParty` over the mesh, and settle who is at fault should a check fail."""
    if tuple(exchange.peers) != party.peers:
        raise SigningError("key generation needs all members on the mesh", reason=Reason.KEYGEN_FAILED)
    context = party.context
    channel = Channel(exchange, context.session, keys, context.names)
    stage = STAGE
    try:
        commits = channel.to_all(COMMIT, party.commit())
        opens = channel.to_all(OPEN, party.open(commits))
        deals = channel.to_each(DEAL, party.deal(opens))
        confirms = channel.to_all(CONFIRM, party.confirm(deals))
        share = party.finish(confirms)
        # Nobody leaves before all are done: who was sent a wrong confirmation disputes in place of this.
        stage = DONE
        exchange.exchange(FrameKind.CEREMONY, dict.fromkeys(party.peers, b""), party.peers)
    except (SigningError, PeerDisputes) as cause:
        if not is_disputable(cause):
            raise
        settle(channel, context.case, cause, lambda claim: disclosure(channel, context.case, claim, stage))
    return share


def disclosure(channel: Channel, case: KeygenCase, claim: Claim, stage: str = STAGE) -> Disclosure:
    """What a member shows of a key generation that failed.

    All broadcasts. Of the deals it got, those that break a rule, and none once its confirmation has left: with that, the others may
    have finished, and then a share is of a living key.
    """
    own, keys = channel.links.own, channel.keys.keys
    public = [
        message for message in channel.messages if message.receiver == EVERYBODY and message.is_signed(keys)
    ]
    if any(message.step == CONFIRM and message.sender == own for message in public):
        return Disclosure(stage, claim, tuple(public))
    return Disclosure(stage, claim, (*public, *complaints(case, own, channel.messages, keys)))
