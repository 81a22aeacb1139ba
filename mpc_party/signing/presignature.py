"""A nonce that 2t+1 members share, ready to sign one digest, once."""

from __future__ import annotations

from dataclasses import dataclass

from mpc_party.protocol.secret import Secret
from mpc_party.signing.one_use import OneUse
from mpc_party.signing.scalar import SecretScalar
from mpc_party.signing.wire import bind


@dataclass(frozen=True)
class SigningContext:
    """What all messages of one nonce phase and signature are bound to; the same at every signer.

    `names` are the names of all members, in the order of the consortium file.
    """

    consortium_hash: bytes
    epoch: int
    round: int
    names: tuple[str, ...]

    def session(self, signers: tuple[int, ...], public_key: bytes) -> bytes:
        """32 bytes that every message of the nonce phase carries."""
        return bind(
            b"mpc-hedge/presign/v1",
            self.consortium_hash,
            self.epoch,
            self.round,
            signers,
            len(self.names),
            public_key,
        )


@dataclass(frozen=True, repr=False, eq=False)
class NonceShares(Secret):
    """alpha_i = c_i + d_i, beta_i = c_i x_i and e_i, where c is the inverse of the nonce k."""

    alpha: SecretScalar
    beta: SecretScalar
    e: SecretScalar


class Presignature(Secret):
    """This signer's part of one nonce. Lives in memory only; `take()` hands the shares out once, and forgets them.

    Attributes:
        context, signers, own, public_key: what it was made for and can only be used for.
        r: R.x, which is below q (others are refused) and not zero.
        nonce_y_is_odd: the parity of R.y, for v.
        transcript: hash of all that was broadcast in the nonce phase; equal at all honest signers.
    """

    __slots__ = (
        "_shares",
        "context",
        "nonce_y_is_odd",
        "own",
        "public_key",
        "r",
        "signers",
        "transcript",
    )

    def __init__(
        self,
        context: SigningContext,
        signers: tuple[int, ...],
        own: int,
        public_key: bytes,
        *,
        r: int,
        nonce_y_is_odd: bool,
        transcript: bytes,
        shares: NonceShares,
    ) -> None:
        self.context = context
        self.signers = signers
        self.own = own
        self.public_key = public_key
        self.r = r
        self.nonce_y_is_odd = nonce_y_is_odd
        self.transcript = transcript
        self._shares = OneUse(shares, f"the nonce of round {context.round}")

    @property
    def nonce_id(self) -> bytes:
        """32 bytes that name this nonce in the journal: its transcript."""
        return self.transcript

    def take(self) -> NonceShares:
        """The shares, the first time.

        Raises:
            SigningError: NONCE_SPENT, every other time.
        """
        return self._shares.take()

    def discard(self) -> None:
        """Forget the shares: what an aborted round does. Can be called at any time, any number of times."""
        self._shares.discard()
