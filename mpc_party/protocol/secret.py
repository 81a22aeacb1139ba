"""What every secret type shares: it does not show itself and does not travel."""

from typing import NoReturn


class Secret:
    """Base of types that hold secrets: `repr` and `str` show the type's name only, and nothing copies it out.

    Pickling (hence sending to another process by `multiprocessing`) and copying raise TypeError.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    __str__ = __repr__

    def __format__(self, specification: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds secrets and is not serialised")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds secrets and is not serialised")
