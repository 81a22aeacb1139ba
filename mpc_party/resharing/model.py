"""The model's replicated shares go from the old members to the new ones, and nobody sees the weights.

Old: n members, threshold t, a component x_A for each set A of t members, known to who is not in A. New: n', t', y_B.

0. lend       - only with stand-ins (`model_plan`): the leader of x_A hands it on, with its salt and the leaves (`model_handover`).
1. seed       - the leader of x_A draws a seed and sends it to the other holders of x_A.
2. parts      - all holders split x_A by the seed, x_A = sum over B of x_A^B (`model_parts`). The leader sends x_A^B and a piece
                of salt to the new members outside B; who holds x_A itself splits it itself.
3. statements - every other holder tells each of these members the hash of what it must have got, and each other holder the
                hash of the seed. All holders must say the same, and one of any t+1 is honest: so the parts are x_A's.
4. leaves     - new members add up, y_B = sum over A of x_A^B, and tell everybody the leaf hashes. All t'+1 or more who know
                y_B must say the same, and one is honest. The commitment is over the leaves.

Why nobody learns anything. Let t of the old members (and stand-ins) and t' of the new ones collude. There is a set A* of old
members that contains the former: all who hold x_A* are honest, so its seed is drawn by an honest leader and seen by honest
holders only. There is a set B* of new members that contains the latter: nobody sends them x_A*^B*, nor its piece of salt. The parts
of x_A* are uniform but for their sum, so those without x_A*^B* are uniform and independent of x_A*, and so of the weights.
The other components are known to them anyway, their parts follow from what they know. Hashes of parts go to who has the
parts, hashes of seeds to who has the seeds. The leaf of y_B* is salted by 32 bytes to which an unknown piece belongs.
The stream in place of uniform words costs what AES-256 costs, the hash with an unknown salt that SHA-256 is a random oracle.

Source: Cramer, Damgard, Ishai, "Share conversion, pseudorandom secret-sharing and applications to secure computation",
TCC 2005, section 3, with the parts dealt.
"""

import secrets
from dataclasses import dataclass

import numpy as np

from mpc_party.mesh import Exchange, FrameKind
from mpc_party.protocol.model_share import component_leaf, model_commitment
from mpc_party.protocol.secret import Secret
from mpc_party.protocol.shares_at_rest import SharesAtRest
from mpc_party.resharing.model_handover import handover, require_length, require_share, take_over
from mpc_party.resharing.model_parts import (
    SEED_BYTES,
    Parts,
    Words,
    hash_of_block,
    hash_of_seed,
    parse_block,
    salt_of,
    split,
)
from mpc_party.resharing.model_plan import (
    HASH_BYTES,
    ModelMove,
    ModelMoveError,
    MovePlan,
    Subset,
    plan_of,
)
from mpc_party.resharing.model_verdict import agreed_leaves, require_agreement


@dataclass(frozen=True, repr=False)
class MovedModel(Secret):
    """What a move gives: the new public commitment (32 bytes), and a new member's share; None for who leaves."""

    commitment: bytes
    share: SharesAtRest | None


def reshare_model(exchange: Exchange, move: ModelMove, share: SharesAtRest | None) -> MovedModel:
    """Move the model to the new members. Collective: everybody in the cast, with equal moves.

    Rounds: 4 exchanges, of kinds CEREMONY, CEREMONY, CHECK, CHECK; before them one of kind CEREMONY if somebody stands in.
    Bytes, with w weights: a leader sends 32 for each component it leads to each other holder, and (8 w + 32) C(n'-1, t') for
        each to each new member that does not hold it; every other holder of it sends 32 to each of both. A new member
        sends 32 C(n'-1, t') to everybody. For 3 members with t = 1 that go to 3 with t' = 1: 16 w + 64 to each that lacks
        a component. A stand-in is sent 32 C(n, t) and 8 w + 32 for each component that it is lent.
    Memory: about what is sent and received, and C(n', t') components beside.
    Reveals: to everybody, the leaf hashes of the new components; to a stand-in, what it is lent; nothing of the weights to t
        old members with their stand-ins and t' new ones, even together.

    All who return have the same commitment. That all have returned is not known until they have said so: nobody erases its old
    share before.

    Args:
        exchange: a session among the whole cast, bound to `move.ceremony`, members named by their seats.
        move: what is moved, from whom, to whom.
        share: an old member's share, as `open_at_rest` reads it; None at a joiner.

    Raises:
        ModelMoveError: PROPOSAL_REFUSED or MODEL_MISMATCH before anything is sent, the move or the own share does not fit;
            later FRAME_MALFORMED, MODEL_MISMATCH (a stand-in was lent something wrong), both with the culprit, or
            ECHO_MISMATCH, with one where it is certain. Nobody's share has changed.
        MeshError: a member is silent or gone.
    """
    return _Mover(exchange, plan_of(move), share).run()


class _Mover(Secret):
    """One member's side of a move."""

    def __init__(self, exchange: Exchange, plan: MovePlan, share: SharesAtRest | None) -> None:
        move, own = plan.move, exchange.own
        if sorted([own, *exchange.peers]) != list(range(len(move.cast_names))):
            raise ModelMoveError(
                "the session's members are not the move's", remedy="this is a fault of the setup"
            )
        old_index = plan.old_index(own)
        if (share is None) != (old_index is None):
            raise ModelMoveError(
                "an old member moves its share, and a joiner has none", remedy="check the setup"
            )
        if share is not None and old_index is not None:
            require_share(share, move.old_header, move.commitment, old_index)
        self._exchange, self._own, self._plan = exchange, own, plan
        self._names = move.cast_names
        self._share = share
        held = {} if share is None else share.held
        self._components = {a: held[a][1] for a in plan.held_by(own) if a in held}
        self._seeds: dict[Subset, bytes] = {}
        self._blocks: dict[int, list[bytes]] = {}  # what this member sends as a leader, by seat
        self._statements: dict[int, list[bytes]] = {}  # what it says of what others send
        self._expected: dict[Subset, bytes] = {}  # what others must say of what it was sent
        # The new components that this member will hold, by their places in `plan.new_subsets`.
        self._wanted = [plan.new_subsets.index(b) for b in plan.needed_by(own)]
        self._sums: dict[int, Words] = {
            place: np.zeros(move.new_header.count, dtype=np.int64) for place in self._wanted
        }
        self._pieces: dict[int, dict[Subset, bytes]] = {place: {} for place in self._wanted}

    def run(self) -> MovedModel:
        """All steps, in order."""
        if self._plan.lent:
            self._lend()
        self._share_seeds()
        self._split_own()
        self._send_parts()
        self._compare_statements()
        return self._agree_on_leaves()

    def _lend(self) -> None:
        """0. "the leader of x_A hands it on": checked against the old commitment, so that a stand-in is as good as a holder."""
        plan, own = self._plan, self._own

        def from_to(giver: int, seat: int) -> list[Subset]:
            return [a for a, by in plan.lent.get(seat, {}).items() if by == giver]

        outgoing = {}
        for seat in plan.lent:
            if self._share is not None and from_to(own, seat):
                outgoing[seat] = handover(self._share, from_to(own, seat))
        givers = [peer for peer in self._exchange.peers if from_to(peer, own)]
        for giver, frame in self._exchange.exchange(FrameKind.CEREMONY, outgoing, givers).items():
            _, lent = take_over(
                frame, plan.move.old_header, plan.move.commitment, from_to(giver, own), self._names[giver]
            )
            self._components |= {subset: words for subset, (_, words) in lent.items()}

    def _share_seeds(self) -> None:
        """1. "the leader of x_A draws a seed and sends it to the other holders of x_A": all of one leader in one frame."""
        plan, own, peers = self._plan, self._own, self._exchange.peers

        def common(leader: int, holder: int) -> list[Subset]:
            return [a for a in plan.led_by(leader) if holder in plan.holders[a]]

        self._seeds = {subset: secrets.token_bytes(SEED_BYTES) for subset in plan.led_by(own)}
        outgoing = {
            peer: b"".join(self._seeds[a] for a in common(own, peer)) for peer in peers if common(own, peer)
        }
        leaders = [peer for peer in peers if common(peer, own)]
        for leader, frame in self._exchange.exchange(FrameKind.CEREMONY, outgoing, leaders).items():
            led = common(leader, own)
            require_length(frame, SEED_BYTES * len(led), self._names[leader])
            for place, subset in enumerate(led):
                self._seeds[subset] = frame[SEED_BYTES * place : SEED_BYTES * (place + 1)]

    def _split_own(self) -> None:
        """2. "all holders split x_A by the seed": one component at a time, so that only sums and what is sent stay."""
        plan, own = self._plan, self._own
        for subset in plan.held_by(own):
            seed = self._seeds[subset]
            parts = split(seed, plan.session, subset, self._components[subset], len(plan.new_subsets))
            for place in self._wanted:
                self._add(subset, place, parts.words[place], parts.salts[place])
            self._expected[subset] = hash_of_seed(plan.session, subset, seed)
            for seat in self._exchange.peers:
                self._address(subset, seat, parts)

    def _address(self, subset: Subset, seat: int, parts: Parts) -> None:
        """What this holder of x_A has to send to another seat: its parts or, from all but the leader, a hash."""
        plan = self._plan
        leads = plan.leaders[subset] == self._own
        if plan.receives(seat, subset):
            block = parts.block([plan.new_subsets.index(b) for b in plan.needed_by(seat)])
            if leads:
                self._blocks.setdefault(seat, []).append(block)
            else:
                self._statements.setdefault(seat, []).append(hash_of_block(plan.session, subset, block))
        elif seat in plan.holders[subset] and not leads:
            self._statements.setdefault(seat, []).append(self._expected[subset])

    def _send_parts(self) -> None:
        """2. "the leader sends x_A^B and a piece of salt to the new members outside B"."""
        plan, own = self._plan, self._own
        outgoing = {seat: b"".join(self._blocks.pop(seat)) for seat in list(self._blocks)}
        leaders = {
            peer: [a for a in plan.led_by(peer) if plan.receives(own, a)] for peer in self._exchange.peers
        }
        answers = self._exchange.exchange(
            FrameKind.CEREMONY, outgoing, [peer for peer, led in leaders.items() if led]
        )
        size = plan.part_bytes * len(self._wanted)
        for leader, frame in answers.items():
            require_length(frame, size * len(leaders[leader]), self._names[leader])
            view = memoryview(frame)
            for place, subset in enumerate(leaders[leader]):
                block = view[size * place : size * (place + 1)]
                self._expected[subset] = hash_of_block(plan.session, subset, block)
                parts = parse_block(block, self._wanted, plan.move.new_header.count)
                for wanted, (words, piece) in parts.items():
                    self._add(subset, wanted, words, piece)

    def _add(self, subset: Subset, place: int, words: Words, piece: bytes) -> None:
        """4. "y_B = sum over A of x_A^B"."""
        self._sums[place] += words  # wraps: in Z_2^64
        self._pieces[place][subset] = piece

    def _compare_statements(self) -> None:
        """3. "all holders must say the same": of the seeds that this member has, and of the parts that it was sent."""
        plan = self._plan
        outgoing = {seat: b"".join(said) for seat, said in self._statements.items()}
        about = {
            peer: [a for a in self._expected if peer in plan.holders[a] and plan.leaders[a] != peer]
            for peer in self._exchange.peers
        }
        answers = self._exchange.exchange(
            FrameKind.CHECK, outgoing, [peer for peer, told in about.items() if told]
        )
        dissent: dict[Subset, list[int]] = {}
        for peer, frame in answers.items():
            require_length(frame, HASH_BYTES * len(about[peer]), self._names[peer])
            # In the order in which the peer has split: that of the old subsets.
            for place, subset in enumerate(a for a in plan.old_subsets if a in about[peer]):
                if frame[HASH_BYTES * place : HASH_BYTES * (place + 1)] != self._expected[subset]:
                    dissent.setdefault(subset, []).append(peer)
        require_agreement(plan, self._own, dissent)

    def _agree_on_leaves(self) -> MovedModel:
        """4. "tell everybody the leaf hashes": then the commitment, and the share."""
        plan, own, peers = self._plan, self._own, self._exchange.peers
        header = plan.move.new_header
        held: dict[Subset, tuple[bytes, bytes]] = {}
        leaves: dict[Subset, bytes] = {}
        for place in self._wanted:
            subset = plan.new_subsets[place]
            pieces = [self._pieces[place][a] for a in plan.old_subsets]
            held[subset] = salt_of(plan.session, subset, pieces), self._sums[place].astype("<i8").tobytes()
            leaves[subset] = component_leaf(subset, *held[subset])
        said = b"".join(leaves[b] for b in plan.needed_by(own))
        answers = self._exchange.exchange(
            FrameKind.CHECK,
            dict.fromkeys(peers, said) if said else {},
            [peer for peer in peers if plan.needed_by(peer)],
        )
        agreed = agreed_leaves(plan, own, leaves, answers)
        index = plan.new_index(own)
        share = None if index is None else SharesAtRest(header, index, agreed, held)
        return MovedModel(model_commitment(header, agreed), share)
