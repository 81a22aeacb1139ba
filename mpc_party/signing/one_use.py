"""Something secret that is handed out once, and forgotten as it is."""

import threading
from typing import Generic, TypeVar

from mpc_party.protocol.errors import Reason
from mpc_party.protocol.secret import Secret
from mpc_party.signing.errors import SigningError

T = TypeVar("T")


class OneUse(Secret, Generic[T]):
    """Holds a secret until the first `take`. Safe to use from several threads: one of them gets it."""

    def __init__(self, value: T, what: str) -> None:
        self._value: T | None = value
        self._what = what
        self._lock = threading.Lock()

    def take(self) -> T:
        """The secret, the first time.

        Raises:
            SigningError: NONCE_SPENT, every other time.
        """
        with self._lock:
            value, self._value = self._value, None
        if value is None:
            raise SigningError(
                f"{self._what} has been used or discarded",
                reason=Reason.NONCE_SPENT,
                remedy="start a new round",
            )
        return value

    def discard(self) -> None:
        """Forget the secret. Can be called at any time, any number of times."""
        with self._lock:
            self._value = None
