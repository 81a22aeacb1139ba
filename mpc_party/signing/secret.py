"""A scalar that must not be seen: hidden from repr, refused by pickle, copy and every encoder.

This guards against accidents (logs, tracebacks, caches), not against someone who reads the process's memory.
Python cannot wipe memory: an `int` is immutable and the interpreter copies freely, so dropping the last
reference, which `Presignature` and the ceremonies do as early as they can, is the best that is done here.
Arithmetic on Python integers is not constant-time either; only operations on points with secret scalars are
(see `curve`).
"""

from mpc_party.protocol.secret import Secret


class SecretScalar(Secret):
    """An integer modulo the group order that only `reveal()` shows."""

    __slots__ = ("_value",)

    def __init__(self, value: int) -> None:
        self._value = value

    def reveal(self) -> int:
        """The value itself. The caller keeps it out of messages, logs and exceptions."""
        return self._value
