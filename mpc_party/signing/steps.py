"""The steps of a protocol party: each once, in order, and none after a failure."""

from collections.abc import Iterator
from contextlib import contextmanager

from mpc_party.protocol.errors import Reason
from mpc_party.protocol.secret import Secret
from mpc_party.signing.errors import SigningError


class Steps(Secret):
    """Base of the protocol parties, which hold secrets and must not be driven out of order."""

    def __init__(self, first: str) -> None:
        self._next: str | None = first

    @contextmanager
    def _step(self, name: str, *, then: str | None) -> Iterator[None]:
        """Run one step. If it raises, no step can follow."""
        if self._next != name:
            expected = f"expects {self._next!r}" if self._next is not None else "is over"
            raise SigningError(
                f"{type(self).__name__} {expected}: {name!r} is refused", reason=Reason.INTERNAL
            )
        self._next = None
        yield
        self._next = then
