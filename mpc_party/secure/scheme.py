"""What the engine needs from a sharing scheme, on plain words: one interface, an implementation per committee size.

`three` implements it for t = 1, where one party can deal correlated randomness ahead of time, and `general` for t = 2
and 3. Both are modules whose functions have the names and types below; `scheme_of` picks one.

Words are int64 arrays whose first dimension is this party's components in the order of `Layout.held`. *Planes* hold
bits, 64 elements to a word, in the arrangement of `bits.to_planes`: a binary sharing of K planes is (components, K, M),
its value the exclusive or of the components. Functions that return `Steps` are collective: see `steps`.
"""

from collections.abc import Sequence
from typing import Protocol

from mpc_party.secure import general, three
from mpc_party.secure.randomness import Words
from mpc_party.secure.session import SecureSession
from mpc_party.secure.steps import Steps

Piece = tuple[int, tuple[int, ...], Words | None]


class Scheme(Protocol):
    """Sharing, opening, closing products, and bits. What each costs and reveals stands at its implementation."""

    def share_words(
        self, session: SecureSession, pieces: Sequence[Piece], operation: str = "share"
    ) -> Steps[list[Words]]:
        """Private words of any owners, as (owner, shape, the words at the owner), to shares (components, *shape)."""

    def open_words(self, session: SecureSession, shares: Sequence[Words]) -> Steps[list[Words]]:
        """Open to all parties."""

    def open_words_to(
        self, session: SecureSession, position: int, shares: Sequence[Words]
    ) -> Steps[list[Words] | None]:
        """Open to one party; None at the others."""

    def reshare(self, session: SecureSession, product: Words, bits: int) -> Steps[Words]:
        """From this party's summand of a product, of any shape, to shares of the product / 2^bits."""

    def open_product(self, session: SecureSession, product: Words, bits: int) -> Steps[Words]:
        """Open a product / 2^bits to all, from this party's summand; in fewer rounds than `reshare` and opening."""

    def truncate(self, session: SecureSession, words: Words, bits: int) -> Steps[Words]:
        """Divide shares by 2^bits, bits > 0."""

    def sign_plane(self, session: SecureSession, words: Words, bits: int) -> Steps[Words]:
        """Bit `bits` - 1 of the values of words (components, N), 2 <= bits <= 64: a plane (components, M)."""

    def zero_plane(self, session: SecureSession, words: Words, bits: int) -> Steps[Words]:
        """Whether the lower `bits` bits, 1 <= bits <= 64, are all zero: a plane (components, M)."""

    def and_planes(self, session: SecureSession, planes: Words) -> Steps[Words]:
        """The conjunction along the dimension after that of components: (components, K, ...) to (components, ...)."""

    def public_plane(self, session: SecureSession, plane: Words) -> Words:
        """A sharing (components, *shape) of bits that all know. Local."""

    def lift(
        self, session: SecureSession, plane: Words, shape: tuple[int, ...], *, negate: bool = False
    ) -> Steps[Words]:
        """A shared bit per element as the number 0 or 1, (components, *shape); 1 - bit where `negate`."""

    def select(
        self, session: SecureSession, values: Words, plane: Words, *, negate: bool = False
    ) -> Steps[Words]:
        """Values (components, *shape) where the bit is 1, else 0; where it is 0 if `negate`."""

    def random_fractions(self, session: SecureSession, shape: tuple[int, ...], scale: int) -> Steps[Words]:
        """Uniform in 0 .. 2^scale - 1, known to nobody."""


def scheme_of(session: SecureSession) -> Scheme:
    """The implementation for the session's committee."""
    return three if session.threshold == 1 else general
