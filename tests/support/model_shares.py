"""Models dealt among made-up members."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyrage

from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.model_share import VERSION, ModelHeader, ModelShare, deal, open_share

CONSORTIUM = bytes(range(32))
MODULUS = 1 << 64


def header(members: int, threshold: int, count: int) -> ModelHeader:
    return ModelHeader(
        version=VERSION,
        consortium=CONSORTIUM,
        epoch=1,
        kind="minimum-variance-quadratic",
        count=count,
        fraction_bits=16,
        members=members,
        threshold=threshold,
    )


def decryptor(identity: pyrage.x25519.Identity) -> Callable[[bytes], bytes]:
    """What `Identity.decrypt` of a member does."""

    def decrypt(data: bytes) -> bytes:
        try:
            return bytes(pyrage.decrypt(data, [identity]))
        except pyrage.DecryptError:
            raise ConfigError("does not open") from None

    return decrypt


@dataclass(frozen=True, repr=False)
class Dealt:
    """A dealing and the identities that open it."""

    header: ModelHeader
    words: list[int]
    commitment: bytes
    files: list[bytes]
    identities: list[pyrage.x25519.Identity]

    def open(self, member: int) -> ModelShare:
        return open_share(
            self.files[member],
            decryptor(self.identities[member]),
            member=member,
            commitment=self.commitment,
        )


def make_dealt(members: int, threshold: int, words: list[int]) -> Dealt:
    identities = [pyrage.x25519.Identity.generate() for _ in range(members)]
    recipients = [str(identity.to_public()) for identity in identities]
    commitment, files = deal(header(members, threshold, len(words)), words, recipients)
    return Dealt(header(members, threshold, len(words)), words, commitment, files, identities)
