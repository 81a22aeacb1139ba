"""The consortium file: who the members are, and everything that they must agree on."""

from typing import Annotated

import msgspec
from msgspec import Meta

from mpc_party.protocol.messages import MemberName


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One member: its public keys and where its mesh endpoint listens."""

    name: MemberName
    signing_key: str  # Ed25519 public key, hex
    encryption_key: str  # X25519 public key as an age recipient ("age1...")
    account: str  # EVM address, EIP-55
    mesh_address: str  # host:port
    certificate: str  # PEM, self-signed, pinned


class GroupKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The group's secp256k1 key, and each member's attestation that this is what key generation gave."""

    public_key: str  # compressed, hex
    public_shares: tuple[str, ...]  # X_j = x_j G per member, compressed, hex
    attestations: tuple[str, ...]  # Ed25519 signatures per member, hex


class Program(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Public parameters of the joint computation and of the rounds. See `mpc_party.hedging`."""

    fraction_bits: Annotated[int, Meta(ge=12, le=20)] = 16
    degree: Annotated[int, Meta(ge=4, le=16)] = 12  # of the Chebyshev polynomials in the log-vol
    band: Annotated[float, Meta(gt=0.1, le=2.0)] = 1.4  # half-width of log(vol / reference)
    max_instruments: Annotated[int, Meta(ge=1, le=1024)] = 700
    forward_tolerance: Annotated[float, Meta(gt=0, le=0.2)] = 0.01  # relative, proposal against own view
    max_quote_age: Annotated[int, Meta(ge=1, le=86_400)] = 600  # seconds, market time
    report_validity: Annotated[int, Meta(ge=1, le=86_400)] = 3600  # seconds from observed_at


class Settlement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where reports are accepted."""

    chain_id: int
    contract: str  # EIP-55 address


class Consortium(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. Sections that a later step adds are None until then."""

    version: int
    name: str
    id: str  # 32 random bytes, hex: stays for ever, names the consortium in reports and on the chain
    epoch: int
    threshold: int
    broker: str  # mqtt:// or mqtts:// URL without credentials
    coordinator: str  # Ed25519 public key, hex
    members: tuple[Member, ...]
    program: Program = Program()
    key: GroupKey | None = None
    model: str | None = None  # commitment to the model's shares, hex
    settlement: Settlement | None = None
