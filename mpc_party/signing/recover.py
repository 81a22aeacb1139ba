"""Recovery of one member's lost key share by t+1 others. The key, the epoch and everybody else's share stay.

Five exchanges among the recovering member r, the helpers H, |H| = t+1, and witnesses; and an empty one to part. lambda_i are the Lagrange weights of the
helpers' coordinates at r's, so that the sum of lambda_i x_i is x_r. `RecoverParty` is the protocol, `run_recover` carries
its messages.

1. split - helper i to all: C_ik = p_ik G for k in H, with random p_ik whose sum over k is lambda_i x_i; so the sum of C_ik must
           be lambda_i X_i. With it, also of witnesses: the last round that this member has promised.
2. piece - helper i to helper k: p_ik, checked against C_ik.
3. echo  - everybody to all: the echo of step 1. Of a helper: and its pieces fit.
4. sum   - helper k to r, once all echoes agree: s_k, the sum over i of p_ik, checked against the sum of C_ik.
5. done  - r to all: the share fits.

Result at r: x_r, the sum of s_k, with x_r G = X_r. Equal to the share that was lost, because it is the value at r of the polynomial
that the helpers' shares lie on.

*What helpers learn*: nothing. Say all but helper h are corrupt, r is not. They see p_hk for k other than h, which are uniform and
independent of x_h: p_hh is what remains, and nobody sees it. C_hh adds no scalar, and no point beyond what they compute
from X_h and the p_hk. So their view can be simulated without any honest member's share.

*What r learns*: x_r, and nothing else of other shares. Say r and t-1 helpers are corrupt, two or more are honest. Their view has the
p_ik of honest i for corrupt k, and s_k of honest k. Honest rows are random but for their sums, so the s_k of honest k are uniform
but for their total, and that follows from x_r and what the corrupt know. In the exponent, a matrix with given row sums
lambda_i X_i and column sums can be filled in from random scalars, the last row and column as differences. So the view can be
simulated from x_r, which r is entitled to, and the X_i. That it is entitled to it is the operators' to establish: whoever holds
r's identity key and t+1 members' help has x_r.

*Why the commitments need no commitment of their own.* In key generation and resharing, who speaks last could choose what comes
out. Here nothing can be chosen: x_r is fixed before the first message, and every row's sum is. A helper that picks its row knowing
the others' changes only masks: its own pieces, which it must know, to deal them.

*Why the echo comes before the sums, in a message of its own.* A helper's pieces are random whatever it heard, so they may come
first. But a sum is judged by all rows: if two members had been shown different ones, an honest helper's sum would not fit, and r
would show it as evidence. To t corrupt helpers, the honest one's s_k is its lambda_k x_k: they know the other pieces of that
sum and of that row. After the echoes agree, a sum that does not fit is its sender's fault, and showing it gives nothing away.

*What a cheating helper can do*: make it fail, and be named: by all for commitments that do not add up, by the receiver for a piece
or a sum that does not fit. Its pieces are then of no further use to anybody.

Two kinds of member must not be mixed up. A helper's own share is in use afterwards as before; it is read, not changed. The
recovering member has lost its journal too, as a rule: it must not promise a round that it has promised before, and takes its
floor from what the others say, see `recover_context.Recovered`.
"""

from __future__ import annotations

from collections.abc import Mapping

from mpc_party.mesh.errors import PeerDisputes
from mpc_party.mesh.exchange import DisputableExchange, FrameKind
from mpc_party.protocol.errors import Reason
from mpc_party.signing import evidence
from mpc_party.signing.channel import EVERYBODY, Channel, MessageKeys
from mpc_party.signing.curve import multiply_base
from mpc_party.signing.dispute import is_disputable, settle
from mpc_party.signing.echo import compare_echoes, hash_broadcasts
from mpc_party.signing.errors import SigningError
from mpc_party.signing.evidence import Claim, Disclosure
from mpc_party.signing.judge_recover import STAGE, RecoverCase, complaints
from mpc_party.signing.keygen_rules import RuleError
from mpc_party.signing.keyshare import KeyShare
from mpc_party.signing.recover_context import RecoverContext, Recovered
from mpc_party.signing.recover_rules import (
    DONE,
    ECHO,
    PIECE,
    SPLIT,
    SUM,
    Row,
    check_split,
    hash_of_transcript,
    sum_of,
)
from mpc_party.signing.scalar import SecretScalar, total
from mpc_party.signing.steps import Steps
from mpc_party.signing.wire import (
    M,
    RecoverDone,
    RecoverEcho,
    RecoverPiece,
    RecoverSplit,
    RecoverSum,
    decode_all,
    encode,
)

REMEDY = "nothing has changed: start again with a new ceremony and another helper"


class RecoverParty(Steps):
    """One member's side of a recovery, as a state machine without I/O: each step once and in order.

    Every step takes the messages of the step before by member index, and gives this member's own: None or nothing where it
    has none. A `SigningError` ends the ceremony; the object is then of no further use.
    """

    def __init__(
        self, context: RecoverContext, own: int, share: KeyShare | None, last_round: int | None
    ) -> None:
        super().__init__("split")
        if own not in context.participants:
            raise SigningError(f"index {own} takes no part", reason=Reason.RECOVERY_FAILED)
        self.context = context
        self.own = own
        self.peers = tuple(member for member in context.participants if member != own)
        self.recovering = own == context.recovering
        self.helping = own in context.helpers
        self.others = tuple(member for member in context.others if member != own)  # who speaks in step 1
        self.helpers = tuple(member for member in context.helpers if member != own)
        self._require_fitting(share, last_round)
        self._secret = share.secret if share is not None and self.helping else None
        self._last_rounds = {} if last_round is None or self.recovering else {own: last_round}
        self._session = context.session
        self._pieces: dict[int, SecretScalar] = {}
        self._rows: dict[int, Row] = {}  # C_ik by i, then k
        self._sum: SecretScalar | None = None  # s_k
        self._broadcasts: dict[int, list[bytes]] = {member: [] for member in context.others}
        self._echo: tuple[bytes, ...] = ()
        self._result: Recovered | None = None

    def _require_fitting(self, share: KeyShare | None, last_round: int | None) -> None:
        if not self.recovering and last_round is None:
            raise SigningError(
                "who helps says which round it promised last (0 for none)", reason=Reason.RECOVERY_FAILED
            )
        if self.helping and share is None:
            raise SigningError("a helper needs its key share", reason=Reason.RECOVERY_FAILED)
        if share is not None and not (self.context.key.fits(share) and share.index == self.own):
            raise SigningError(
                f"the key share of epoch {share.epoch} is not this member's in epoch {self.context.key.epoch}",
                reason=Reason.CONSORTIUM_MISMATCH,
                remedy="use the consortium file and the key share of one epoch",
            )

    def split(self) -> bytes | None:
        """Step 1: the message to all of a helper or a witness."""
        with self._step("split", then="deal"):
            if self.recovering:
                return None
            if self._secret is not None:
                # The protocol: "helper i splits lambda_i^(r) x_i into t+1 random pieces, one per helper"
                weighted = self.context.weight(self.own) * self._secret
                self._secret = None
                self._pieces = {helper: SecretScalar.random() for helper in self.helpers}
                self._pieces[self.own] = weighted - total(self._pieces.values())
                self._rows[self.own] = {
                    helper: multiply_base(self._pieces[helper]) for helper in self.context.helpers
                }
            commitments = tuple(point.encode() for point in self._rows.get(self.own, {}).values())
            message = encode(RecoverSplit(self._session, self.own, commitments, self._last_rounds[self.own]))
            self._broadcasts[self.own].append(message)
            return message

    def deal(self, splits: Mapping[int, bytes]) -> dict[int, bytes]:
        """Step 2: a helper's private message to each other helper, once all commitments have passed their checks."""
        with self._step("deal", then="echo"):
            for member, message in self._receive(RecoverSplit, splits, self.others).items():
                self._last_rounds[member] = message.last_round
                try:
                    row = check_split(self.context, member, message)
                except RuleError as broken:
                    raise self._refuse(str(broken), member) from broken
                if row:
                    self._rows[member] = row
                self._broadcasts[member].append(bytes(splits[member]))
            self._echo = hash_broadcasts(self._broadcasts)
            if not self.helping:
                return {}
            return {
                helper: encode(RecoverPiece(self._session, self.own, helper, self._pieces[helper].reveal()))
                for helper in self.helpers
            }

    def echo(self, pieces: Mapping[int, bytes]) -> bytes:
        """Step 3: the message to all, at a helper once every piece fits its commitment."""
        with self._step("echo", then="sum"):
            received = self._receive(RecoverPiece, pieces, self.helpers if self.helping else ())
            if self.helping:
                fitting = [self._pieces[self.own]]
                for helper, message in received.items():
                    piece = self._scalar(message.piece, helper)
                    # The protocol: "helper k checks and sums its pieces"
                    if multiply_base(piece) != self._rows[helper][self.own]:
                        raise self._refuse("a piece does not fit its commitment", helper)
                    fitting.append(piece)
                self._pieces = {}
                self._sum = total(fitting)
            return encode(RecoverEcho(self._session, self.own, self._echo))

    def sum(self, echoes: Mapping[int, bytes]) -> dict[int, bytes]:
        """Step 4: a helper's private message to the recovering member, once all echoes agree."""
        with self._step("sum", then="done"):
            heard = {peer: m.echo for peer, m in self._receive(RecoverEcho, echoes, self.peers).items()}
            compare_echoes(self.own, self.context.others, self._echo, heard, self.context.names)
            if self._sum is None:
                return {}
            message = RecoverSum(self._session, self.own, self.context.recovering, self._sum.reveal())
            self._sum = None
            return {self.context.recovering: encode(message)}

    def done(self, sums: Mapping[int, bytes]) -> bytes | None:
        """Step 5: the recovering member's message to all, once its share fits the group's key."""
        with self._step("done", then="finish"):
            received = self._receive(RecoverSum, sums, self.helpers if self.recovering else ())
            if not self.recovering:
                return None
            parts = []
            for helper, message in received.items():
                part = self._scalar(message.total, helper)
                # The protocol: "sends the sum to r, who checks against the commitments"
                if multiply_base(part) != sum_of(self._rows, helper):
                    raise self._refuse("a sum of pieces does not fit the commitments", helper)
                parts.append(part)
            key = self.context.key
            try:
                # The protocol: "and finally x_r G = X_r"
                share = KeyShare(
                    self.own,
                    key.threshold,
                    key.epoch,
                    key.roster_hash,
                    key.public_key,
                    key.public_shares,
                    total(parts),
                )
            except ValueError as failure:  # cannot be: the commitments add up to X_r
                raise self._refuse(f"the recovered share does not fit: {failure}") from None
            self._result = Recovered(share, dict(self._last_rounds))
            return encode(RecoverDone(self._session, self.own, self._transcript()))

    def finish(self, dones: Mapping[int, bytes]) -> Recovered | None:
        """At the recovering member, its share; at the others nothing, once that member says that it has it."""
        with self._step("finish", then=None):
            expected = () if self.recovering else (self.context.recovering,)
            for member, message in self._receive(RecoverDone, dones, expected).items():
                if message.transcript != self._transcript():
                    # Its echo agreed with ours, and this follows from it.
                    raise SigningError(
                        "another transcript of the recovery is confirmed",
                        reason=Reason.ECHO_MISMATCH,
                        culprit=self.context.names[member],
                        remedy=REMEDY,
                    )
            return self._result

    def _transcript(self) -> bytes:
        return hash_of_transcript(self._session, self._echo)

    def _scalar(self, data: bytes, sender: int) -> SecretScalar:
        try:
            return SecretScalar(data)
        except ValueError:  # an honest member's is zero with probability 1/q
            raise self._refuse("a private value is no scalar in [1, q)", sender) from None

    def _receive(
        self, kind: type[M], messages: Mapping[int, bytes], senders: tuple[int, ...]
    ) -> dict[int, M]:
        return decode_all(
            kind,
            messages,
            session=self._session,
            own=self.own,
            peers=senders,
            names=self.context.names,
            reason=Reason.RECOVERY_FAILED,
        )

    def _refuse(self, what: str, culprit: int | None = None) -> SigningError:
        name = None if culprit is None else self.context.names[culprit]
        return SigningError(what, reason=Reason.RECOVERY_FAILED, culprit=name, remedy=REMEDY)


def run_recover(
    exchange: DisputableExchange,
    context: RecoverContext,
    keys: MessageKeys,
    share: KeyShare | None = None,
    last_round: int | None = None,
) -> Recovered | None:
    """Give one member its lost key share back. Collective: all participants call it, with equal contexts.

    Rounds: 6 exchanges of kind CEREMONY, the last one empty. Bytes sent by a helper: 1,032 for t = 1, 1,756 for t = 2, without witnesses.
    After a failed check, 3 more exchanges of kind DISPUTE (see `dispute.settle`). Measured as `run_reshare` is: p50 3.3, 6.5, 9.0 ms,
    p95 4.2, 8.2, 11.9 (tests/benchmarks/bench_reshare.py).
    Reveals: to the recovering member x_r, and to all which round helpers and witnesses have promised last; nothing else to
    anybody (see this module). In a dispute, what was broadcast, and pieces and sums of a helper at fault.

    Args:
        exchange: the mesh among the participants, by member index.
        context: what the ceremony is bound to. It is for one run: who signs two of one context looks like a cheat.
        keys: this member's identity, and everybody's Ed25519 keys.
        share: a helper's key share; left out by the recovering member, not needed of a witness.
        last_round: the last round that this member has promised by its journal, 0 for none; left out by the recovering
            member.

    Returns:
        At the recovering member its share and the floor for its journal; None at the others.

    Raises:
        SigningError: RECOVERY_FAILED, ECHO_MISMATCH, MESSAGE_FORGED or DISPUTED, with a culprit where one is proven, attested or
            seen here (the message says which), and with `evidence`; CONSORTIUM_MISMATCH before anything is sent, if the
            share is of another epoch. Nothing has changed; start again with a new `ceremony`.
        MeshError: a participant is silent or gone.

    Source: Herzberg, Jarecki, Krawczyk, Yung 1995 (share recovery); here by pieces, as no share but r's is renewed.
    """
    return drive_recover(exchange, RecoverParty(context, exchange.own, share, last_round), keys)


def drive_recover(exchange: DisputableExchange, party: RecoverParty, keys: MessageKeys) -> Recovered | None:
    """Carry the messages of one `RecoverParty` over the mesh, and settle who is at fault should a check fail."""
    if tuple(exchange.peers) != party.peers:
        raise SigningError("a recovery needs all its participants on the mesh", reason=Reason.RECOVERY_FAILED)
    context = party.context
    channel = Channel(exchange, context.session, keys, context.names)
    helping, recovering = party.helpers if party.helping else (), party.helpers if party.recovering else ()
    told = () if party.recovering else (context.recovering,)
    stage = STAGE
    try:
        splits = channel.to_all(SPLIT, party.split(), expect=party.others)
        pieces = channel.to_each(PIECE, party.deal(splits), expect=helping)
        echoes = channel.to_all(ECHO, party.echo(pieces))
        sums = channel.to_each(SUM, party.sum(echoes), expect=recovering)
        result = party.finish(channel.to_all(DONE, party.done(sums), expect=told))
        # Nobody leaves before all are done: who was sent a wrong message disputes in place of this.
        stage = evidence.DONE
        exchange.exchange(FrameKind.CEREMONY, dict.fromkeys(party.peers, b""), party.peers)
    except (SigningError, PeerDisputes) as cause:
        if not is_disputable(cause):
            raise
        case = RecoverCase.of(context)
        settle(channel, case, cause, lambda claim: disclosure(channel, case, claim, stage))
    return result


def disclosure(channel: Channel, case: RecoverCase, claim: Claim, stage: str = STAGE) -> Disclosure:
    """What a member shows of a recovery that failed: all broadcasts, and of the pieces or sums it got, those that do not fit.

    Their senders are at fault, and know them anyway. A sum that does not fit is shown only where the echo of its sender agrees
    with what this member heard: see this module.
    """
    own, keys = channel.links.own, channel.keys.keys
    public = [m for m in channel.messages if m.receiver == EVERYBODY and m.is_signed(keys)]
    return Disclosure(stage, claim, (*public, *complaints(case, own, channel.messages, keys)))
