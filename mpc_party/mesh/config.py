"""What a mesh needs to know, as plain values; and the one place that takes them out of a consortium file."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from mpc_party.mesh.frames import CONTROL_LIMIT, DEFAULT_MAX_PAYLOAD
from mpc_party.protocol.addresses import parse_address
from mpc_party.protocol.errors import ConfigError, Reason

if TYPE_CHECKING:  # the mesh itself runs on plain values and does not load the wallet libraries behind these
    from mpc_party.protocol.consortium import Consortium
    from mpc_party.protocol.identity import Identity

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class MeshLimits:
    """Bounds on what peers and strangers can make this party hold or wait for."""

    max_payload: int = DEFAULT_MAX_PAYLOAD  # bytes in one frame
    handshake_seconds: float = 5.0  # from accepted (or dialled) to authenticated
    max_handshakes: int = 16  # at once; when more arrive, the oldest unfinished one is dropped

    def __post_init__(self) -> None:
        if not CONTROL_LIMIT <= self.max_payload < 2**32:
            raise ConfigError(f"max_payload must lie between {CONTROL_LIMIT} and 2^32 - 1 bytes")
        if self.handshake_seconds <= 0 or self.max_handshakes < 1:
            raise ConfigError("handshake_seconds and max_handshakes must be positive")


@dataclass(frozen=True, slots=True)
class MeshConfig:
    """One party's view of the mesh. Lists run over all members, in the order of the consortium file.

    `consortium_hash` is what both ends of a link must agree on: `Consortium.hash` in rounds, `.roster_hash`
    while the file is still being completed. The private key is not here: `load_credentials` puts it, with the
    certificate, into the contexts it is given, and is the only thing that can. The object refuses to be serialised.
    """

    own: int
    names: tuple[str, ...]
    addresses: tuple[Address, ...]
    certificates: tuple[bytes, ...]  # DER, pinned
    consortium_hash: bytes
    load_credentials: Callable[[ssl.SSLContext], None] = field(repr=False)  # key and certificates[own]
    listen: Address | None = None  # where to bind if not addresses[own]
    limits: MeshLimits = MeshLimits()

    def __post_init__(self) -> None:
        count = len(self.names)
        if not (count == len(self.addresses) == len(self.certificates)) or not 2 <= count < 2**16:
            raise ConfigError("names, addresses and certificates must be as many as there are members")
        if not 0 <= self.own < count:
            raise ConfigError(f"own index {self.own} is not that of a member")
        if len(set(self.certificates)) != count or len(set(self.names)) != count:
            raise ConfigError("two members share a name or a certificate")
        if len(self.consortium_hash) != 32:
            raise ConfigError("the consortium hash must have 32 bytes")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a MeshConfig reaches a private key and is not serialised")


def mesh_config(
    consortium: Consortium,
    own: int,
    identity: Identity,
    *,
    consortium_hash: bytes,
    listen: Address | None = None,
    limits: MeshLimits | None = None,
) -> MeshConfig:
    """Take the mesh's values out of a consortium file.

    Args:
        consortium: a validated file.
        own: this party's member index.
        identity: this party's keys, of which the mesh uses the TLS key and certificate.
        consortium_hash: `consortium.hash`, or `consortium.roster_hash` for key generation.
        listen: bind here instead of the address in the file.
        limits: other bounds than the defaults.

    Raises:
        ConfigError: an address or a certificate in the file does not parse, or the identity is not member `own`.
    """
    if consortium.members[own].certificate != identity.member.certificate:
        raise ConfigError(
            f"the certificate of {consortium.names[own]} in the consortium file is not that of this identity",
            reason=Reason.KEY_UNKNOWN,
        )
    try:
        certificates = tuple(ssl.PEM_cert_to_DER_cert(m.certificate.strip()) for m in consortium.members)
    except ValueError as error:
        raise ConfigError("a certificate in the consortium file is not PEM") from error
    return MeshConfig(
        own=own,
        names=consortium.names,
        addresses=tuple(parse_address(m.mesh_address) for m in consortium.members),
        certificates=certificates,
        consortium_hash=consortium_hash,
        load_credentials=identity.load_tls,
        listen=listen,
        limits=limits or MeshLimits(),
    )
