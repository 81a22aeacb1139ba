"""Who holds, deals, stands in and hears what when a model goes to other members: public, and the same at everybody.

A *seat* is a member's place in the session among the old and the new members, the cast. A component x_A of the old sharing
is known to the old members outside A. Those of them that take part are its holders; the lowest of them leads: it draws the
seed by which the component is split. At most t of the holders deviate, so t+1 of them make one honest.

Where fewer than t+1 take part, because old members are absent, joiners stand in: the first joiner, in the order of the new
file, for the first absent member, in the order of the old one, and so on. A stand-in is given only components that are
short of holders, and only such as the member that it stands in for held.

What it costs in trust: a stand-in is a member of the old sharing from then on. So what holds of the old members, that at
most t of them collude, must hold of those that take part and the stand-ins together.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from mpc_party.mesh.frames import DEFAULT_MAX_PAYLOAD
from mpc_party.protocol.errors import Reason, RoundError
from mpc_party.protocol.model_share import ModelHeader, subsets

Subset = tuple[int, ...]
HASH_BYTES = 32
SALT_BYTES = 32
WORD_BYTES = 8
_SESSION = b"mpc-hedge/model-move/v1"


class ModelMoveError(RoundError):
    """A model's move or the recovery of a share stops here. Nothing of it is stored, and the old shares stay good.

    `culprit` names a member only where this member can be sure.
    """

    default_reason = Reason.PROPOSAL_REFUSED


@dataclass(frozen=True)
class ModelMove:
    """What all messages of one move are bound to; the same at every member.

    Args:
        old_header: of the model as it is shared now.
        new_header: of the same model in the next epoch.
        commitment: the public one to the model as it is now, 32 bytes.
        ceremony: fresh for each attempt, 32 bytes.
        cast_names: the names of all that take part, old members first, by seat.
        old_seats: the seat of each old member, None where it is absent.
        new_seats: the seat of each new member; all of them take part.
    """

    old_header: ModelHeader
    new_header: ModelHeader
    commitment: bytes
    ceremony: bytes
    cast_names: tuple[str, ...]
    old_seats: tuple[int | None, ...]
    new_seats: tuple[int, ...]


@dataclass(frozen=True)
class MovePlan:
    """What follows from a `ModelMove`. Subsets are of old member indices (A) or new ones (B), ascending.

    `holders`: the seats that split x_A, ascending. `leaders`: the one that draws the seed. `lent`: which components each
    stand-in is given, by seat, and by whom.
    """

    move: ModelMove
    session: bytes
    old_subsets: tuple[Subset, ...]
    new_subsets: tuple[Subset, ...]
    holders: dict[Subset, tuple[int, ...]]
    leaders: dict[Subset, int]
    lent: dict[int, dict[Subset, int]]

    @property
    def part_bytes(self) -> int:
        """The size of one part, its words and its piece of the salt."""
        return component_bytes(self.move.new_header)

    def new_index(self, seat: int) -> int | None:
        """The index in the new file of who sits here; None for a leaver."""
        return self.move.new_seats.index(seat) if seat in self.move.new_seats else None

    def old_index(self, seat: int) -> int | None:
        """The index in the old file of who sits here; None for a joiner."""
        return self.move.old_seats.index(seat) if seat in self.move.old_seats else None

    def held_by(self, seat: int) -> tuple[Subset, ...]:
        """The old components that this seat splits, its own and lent ones."""
        return tuple(subset for subset in self.old_subsets if seat in self.holders[subset])

    def led_by(self, seat: int) -> tuple[Subset, ...]:
        """The old components of which this seat draws the seed."""
        return tuple(subset for subset in self.old_subsets if self.leaders[subset] == seat)

    def needed_by(self, seat: int) -> tuple[Subset, ...]:
        """The new components that this seat will hold; none for a leaver."""
        index = self.new_index(seat)
        return tuple(subset for subset in self.new_subsets if index is not None and index not in subset)

    def receives(self, seat: int, subset: Subset) -> bool:
        """Whether this seat is sent parts of x_A: a new member that does not split it itself."""
        return seat in self.move.new_seats and seat not in self.holders[subset]


def component_bytes(header: ModelHeader) -> int:
    """The size of a component on the wire, its words and its salt."""
    return WORD_BYTES * header.count + SALT_BYTES


def plan_of(move: ModelMove) -> MovePlan:
    """Check a move and work out who does what. Local, without a secret.

    Raises:
        ModelMoveError: PROPOSAL_REFUSED, the headers are not of one model in two successive epochs, the seats do not fit
            them, a component would have fewer than t+1 holders, or a frame would be too large.
    """
    _check_headers(move.old_header, move.new_header)
    _check_seats(move)
    old_subsets = subsets(move.old_header.members, move.old_header.threshold)
    joiners = [seat for seat in move.new_seats if seat not in move.old_seats]
    absent = [index for index, seat in enumerate(move.old_seats) if seat is None]
    standing = dict(zip(absent, joiners, strict=False))  # the i-th absent member <-> the i-th joiner
    holders: dict[Subset, tuple[int, ...]] = {}
    leaders: dict[Subset, int] = {}
    lent: dict[int, dict[Subset, int]] = {}
    for subset in old_subsets:
        here = [seat for index, seat in enumerate(move.old_seats) if index not in subset and seat is not None]
        short = max(0, move.old_header.threshold + 1 - len(here))
        added = [seat for index, seat in standing.items() if index not in subset][:short]
        if not here or len(added) < short:
            raise _too_few(move, absent)
        holders[subset], leaders[subset] = tuple(sorted([*here, *added])), min(here)
        for seat in added:
            lent.setdefault(seat, {})[subset] = leaders[subset]
    plan = MovePlan(
        move=move,
        session=_session_of(move),
        old_subsets=tuple(old_subsets),
        new_subsets=tuple(subsets(move.new_header.members, move.new_header.threshold)),
        holders=holders,
        leaders=leaders,
        lent=lent,
    )
    _check_frames(plan)
    return plan


def require_frame(size: int, what: str) -> None:
    """Refuse what does not fit in one frame of the mesh.

    Raises:
        ModelMoveError: PROPOSAL_REFUSED.
    """
    if size > DEFAULT_MAX_PAYLOAD:
        raise ModelMoveError(
            f"{what} would take a message of {size} bytes, the limit is {DEFAULT_MAX_PAYLOAD}",
            remedy="a model this large goes to these members by a new dealing: `mpc-models deal`",
        )


def _session_of(move: ModelMove) -> bytes:
    """32 bytes that every seed, part and hash is bound to: all of the move."""
    return hashlib.sha256(
        _SESSION
        + b"\0"
        + msgspec.msgpack.encode(
            (
                move.ceremony,
                move.commitment,
                move.old_header,
                move.new_header,
                move.cast_names,
                move.old_seats,
                move.new_seats,
            )
        )
    ).digest()


def _check_headers(old: ModelHeader, new: ModelHeader) -> None:
    for header in (old, new):
        if not 3 <= header.members <= 7 or not 0 < 2 * header.threshold < header.members:
            raise ModelMoveError(
                f"no model is shared with threshold {header.threshold} among {header.members} members",
                remedy="take 3 to 7 members and a threshold below half of them",
            )
    if new.epoch != old.epoch + 1:
        raise ModelMoveError(
            f"a model goes from epoch {old.epoch} to {old.epoch + 1}, not to {new.epoch}",
            remedy="start from the newest consortium file",
        )
    for field in ("version", "consortium", "kind", "count", "fraction_bits"):
        if getattr(old, field) != getattr(new, field):
            raise ModelMoveError(
                f"a model keeps its {field} when it goes to other members",
                remedy="change members and model one after the other",
            )


def _check_seats(move: ModelMove) -> None:
    taking_part = [seat for seat in move.old_seats if seat is not None]

    def require(holds: bool, message: str) -> None:  # noqa: FBT001 - a condition and its sentence
        if not holds:
            raise ModelMoveError(message, remedy="this is a fault of the ceremony's setup, not of a member")

    require(len(move.commitment) == HASH_BYTES, "the commitment to the old model is not 32 bytes")
    require(len(move.ceremony) == HASH_BYTES, "the ceremony's identifier is not 32 bytes")
    require(len(move.old_seats) == move.old_header.members, "not every old member has a seat or is absent")
    require(len(move.new_seats) == move.new_header.members, "not every new member has a seat")
    require(_differ(taking_part) and _differ(move.new_seats), "two members have one seat")
    seats = set(taking_part) | set(move.new_seats)
    require(seats == set(range(len(move.cast_names))), "the seats are not those of the cast")


def _differ(seats: Iterable[int]) -> bool:
    listed = list(seats)
    return len(set(listed)) == len(listed)


def _too_few(move: ModelMove, absent: list[int]) -> ModelMoveError:
    missing = ", ".join(f"#{index + 1}" for index in absent)
    return ModelMoveError(
        f"old members {missing} of {move.old_header.members} are missing, and too few joiners stand in for them: "
        f"a component of the model would have fewer than {move.old_header.threshold + 1} holders",
        remedy="wait for a missing member, recover its share (`mpc-party recover`), or replace it by a member that joins",
    )


def _check_frames(plan: MovePlan) -> None:
    """The largest frames: what one leader sends to one new member, and what a stand-in is given."""
    for leader in set(plan.leaders.values()):
        for seat in plan.move.new_seats:
            parts = len(plan.needed_by(seat)) * sum(plan.receives(seat, a) for a in plan.led_by(leader))
            require_frame(parts * plan.part_bytes, f"moving {plan.move.new_header.count} weights")
    for given in plan.lent.values():
        size = len(given) * plan.part_bytes + HASH_BYTES * len(plan.old_subsets)
        require_frame(size, f"lending {plan.move.old_header.count} weights")
