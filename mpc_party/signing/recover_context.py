"""What the recovery of one member's key share is bound to, and what comes out of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.errors import Reason
from mpc_party.protocol.secret import Secret
from mpc_party.signing.curve import Point, multiply_public
from mpc_party.signing.errors import SigningError
from mpc_party.signing.field import coordinate, lagrange
from mpc_party.signing.keyshare import KeyShare
from mpc_party.signing.reshare_public import PublicKeyMaterial
from mpc_party.signing.wire import bind


@dataclass(frozen=True)
class RecoverContext:
    """The same at every participant; all of it goes into the session's hash. Members by index in the consortium file.

    Attributes:
        consortium_hash: `hash` of the consortium file.
        key: Y, X_i, t and epoch by that file. They stay as they are.
        names: of all members.
        recovering: who has lost its share.
        helpers: ascending, exactly t+1 others, who know theirs.
        witnesses: ascending, any further members: they only say which round they promised last.
        ceremony: 32 bytes, fresh for each attempt.
    """

    consortium_hash: bytes
    key: PublicKeyMaterial
    names: tuple[str, ...]
    recovering: int
    helpers: tuple[int, ...]
    witnesses: tuple[int, ...]
    ceremony: bytes

    @classmethod
    def of_consortium(
        cls, consortium: Consortium, name: str, present: Collection[str], ceremony: bytes
    ) -> RecoverContext:
        """From the consortium file: the first t+1 others that are present help, the rest are witnesses.

        Args:
            consortium: with its key.
            name: of the member that has lost its share.
            present: names of the others that take part.
            ceremony: 32 fresh bytes that all have agreed on.

        Raises:
            SigningError: RECOVERY_FAILED: fewer than t+1 others are present.
            ConfigError: the file has no key, or no member of a name.
        """
        recovering = consortium.index_of(name)
        others = tuple(sorted({consortium.index_of(other) for other in present} - {recovering}))
        helping = consortium.threshold + 1
        return cls(
            consortium.hash,
            PublicKeyMaterial.of_consortium(consortium),
            consortium.names,
            recovering,
            others[:helping],
            others[helping:],
            ceremony,
        )

    def __post_init__(self) -> None:
        """Refuse what the protocol cannot run on.

        Raises:
            SigningError: RECOVERY_FAILED.
        """
        members = range(len(self.key.public_shares))
        others = self.helpers + self.witnesses
        fitting = (
            len(self.names) == len(members)
            and self.recovering in members
            and set(others) <= set(members) - {self.recovering}
            and len(set(others)) == len(others)
            and self.helpers == tuple(sorted(self.helpers))
            and self.witnesses == tuple(sorted(self.witnesses))
        )
        if not fitting or len(self.helpers) != self.key.threshold + 1:
            raise SigningError(
                f"the recovery of one share takes {self.key.threshold + 1} other members",
                reason=Reason.RECOVERY_FAILED,
            )

    @property
    def others(self) -> tuple[int, ...]:
        """Helpers and witnesses, ascending: who speaks in step 1."""
        return tuple(sorted(self.helpers + self.witnesses))

    @property
    def participants(self) -> tuple[int, ...]:
        """All that take part, ascending."""
        return tuple(sorted((self.recovering, *self.others)))

    @property
    def knows_every_round(self) -> bool:
        """Whether an honest one among the others was in every committee that the recovering member was in.

        A committee of 2t+1 with an honest member in it has t more honest ones at least. n-t others cannot all be corrupt
        or outside of it.
        """
        return len(self.others) >= len(self.names) - self.key.threshold

    def weight(self, helper: int) -> int:
        """lambda_i: the helper's Lagrange weight at the recovering member's coordinate."""
        coordinates = tuple(coordinate(member) for member in self.helpers)
        return lagrange(coordinates, coordinate(self.recovering))[self.helpers.index(helper)]

    def weighted_share(self, helper: int) -> Point:
        """lambda_i X_i, which the helper's commitments must add up to."""
        point = multiply_public(self.weight(helper), self.key.point(helper))
        if point is None:
            raise SigningError("a helper has the weight zero", reason=Reason.INTERNAL)
        return point

    @property
    def session(self) -> bytes:
        """32 bytes that every message carries."""
        return bind(
            b"mpc-hedge/recover/v1",
            self.consortium_hash,
            self.key.epoch,
            self.key.threshold,
            self.key.public_key,
            self.key.public_shares,
            self.recovering,
            self.helpers,
            self.witnesses,
            self.ceremony,
        )


@dataclass(frozen=True, repr=False, eq=False)
class Recovered(Secret):
    """What the recovering member has at the end.

    Attributes:
        share: equal to the one that was lost.
        last_rounds: by member, the last round that it has promised, as it has signed.
    """

    share: KeyShare
    last_rounds: Mapping[int, int]

    @property
    def floor(self) -> int:
        """The highest of them: this member's new journal promises no round up to here.

        A helper that lies upwards keeps this member from signing until that round comes: its word is signed, and
        `last_rounds` shows whose it was. One that lies downwards is outvoted by any honest one that knows better, see
        `RecoverContext.knows_every_round`.
        """
        return max(self.last_rounds.values())
