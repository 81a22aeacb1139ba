"""The report that the consortium signs."""

import msgspec


class HedgeReport(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """EIP-712 `HedgeReport`; `forwards` and `params` are their 32-byte words, concatenated."""

    consortium: bytes
    epoch: int
    round: int
    observed_at: int
    valid_until: int
    book: bytes
    model: bytes
    inputs: bytes
    forwards: bytes
    params: bytes
