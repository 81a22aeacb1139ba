"""EIP-712 digests of what a consortium's contracts accept, and signatures over them.

The group key signs reports: the same bytes as `HedgeSettlement.digestOf`. Members sign actions with their own accounts, for
`ConsortiumMembers`, whose domain is another one: see `actions`. Nothing here needs a node. Hashing is keccak256,
signatures are secp256k1 with a recovery id, as `ecrecover` takes them.
"""

import re
from typing import Final

from coincurve import PublicKey
from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address

from mpc_party.protocol.errors import Reason, ReportError
from mpc_party.protocol.report import HedgeReport, check_report

DOMAIN_NAME: Final = "MPC Hedge Report"
DOMAIN_VERSION: Final = "1"
DOMAIN_TYPE: Final = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
REPORT_TYPE: Final = (
    "HedgeReport(bytes32 consortium,uint64 epoch,uint64 round,uint64 observedAt,uint64 validUntil,"
    "bytes32 book,bytes32 model,bytes32 inputs,bytes32[] forwards,bytes32[] params)"
)
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")

SIGNATURE_BYTES: Final = 65
ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1's group


def domain_separator(chain_id: int, contract: str, name: str = DOMAIN_NAME) -> bytes:
    """Give the domain separator (32 bytes) of the contract at a 0x address on a chain: by default, of reports.

    Raises:
        ReportError: no address (or a wrong EIP-55 checksum), or a chain id outside [1, 2^256).
    """
    if chain_id < 1:
        raise ReportError(f"chain id {chain_id} is not positive")
    return keccak_of(
        keccak_of(DOMAIN_TYPE.encode()),
        keccak_of(name.encode()),
        keccak_of(DOMAIN_VERSION.encode()),
        encode_uint(chain_id, 256),
        encode_address(contract),
    )


def report_struct_hash(report: HedgeReport) -> bytes:
    """Give EIP-712's hashStruct of a report (32 bytes). A `bytes32[]` encodes as the keccak256 of its words."""
    return keccak_of(
        keccak_of(REPORT_TYPE.encode()),
        report.consortium,
        encode_uint(report.epoch, 64),
        encode_uint(report.round, 64),
        encode_uint(report.observed_at, 64),
        encode_uint(report.valid_until, 64),
        report.book,
        report.model,
        report.inputs,
        keccak_of(report.forwards),
        keccak_of(report.params),
    )


def report_digest(report: HedgeReport, chain_id: int, contract: str) -> bytes:
    """Give the 32 bytes that the group key signs for this report on this chain and contract.

    Raises:
        ReportError: the report breaks a rule of `check_report`, or chain and contract one of `domain_separator`.
    """
    check_report(report)
    return typed_digest(domain_separator(chain_id, contract), report_struct_hash(report))


def typed_digest(separator: bytes, struct_hash: bytes) -> bytes:
    """Give keccak256(0x1901 || domain separator || struct hash), EIP-712's digest."""
    return keccak_of(b"\x19\x01", separator, struct_hash)


def recover(digest: bytes, signature: bytes) -> str:
    """Give the EIP-55 address whose key made this signature.

    Args:
        digest: 32 bytes.
        signature: 65 bytes r || s || v, v 27 or 28, s in the lower half of the group order (as OpenZeppelin's ECDSA).

    Raises:
        ReportError: SIGNATURE_INVALID; wrong length, v, a high s, r or s out of range, or no point.
    """
    if len(digest) != 32:
        raise _invalid(f"a digest of {len(digest)} bytes, not 32")
    if len(signature) != SIGNATURE_BYTES:
        raise _invalid(f"a signature of {len(signature)} bytes, not {SIGNATURE_BYTES}")
    r, s, v = int.from_bytes(signature[:32]), int.from_bytes(signature[32:64]), signature[64]
    if v not in {27, 28}:
        raise _invalid(f"a signature with v = {v}, not 27 or 28")
    if not 0 < r < ORDER or not 0 < s < ORDER:
        raise _invalid("a signature with r or s outside the group order")
    if s > ORDER // 2:
        raise _invalid("a signature with a high s")
    try:
        key = PublicKey.from_signature_and_message(
            bytes(signature[:64]) + bytes([v - 27]), bytes(digest), hasher=None
        )
    except ValueError as error:
        raise _invalid("a signature from which no key can be recovered") from error
    return public_key_address(key.format(compressed=False))


def verify_signature(digest: bytes, signature: bytes, address: str) -> None:
    """Return if `address` signed the digest; see `recover` for the arguments.

    Raises:
        ReportError: SIGNATURE_INVALID where it did not.
    """
    expected = to_checksum_address(encode_address(address)[12:])
    signer = recover(digest, signature)
    if signer != expected:
        raise _invalid(f"the signature is {signer}'s, not {address}'s")


def public_key_address(public_key: bytes) -> str:
    """Give the EIP-55 address of a secp256k1 public key, compressed (33 bytes) or not (65).

    Raises:
        ReportError: no point of the curve.
    """
    # libsecp256k1 also reads the "hybrid" form (6 or 7 first), a third encoding of the same point.
    if (len(public_key), public_key[:1]) not in {(33, b"\2"), (33, b"\3"), (65, b"\4")}:
        raise ReportError("not a secp256k1 public key: 33 bytes from 02 or 03, or 65 from 04")
    try:
        point = PublicKey(bytes(public_key)).format(compressed=False)
    except ValueError as error:
        raise ReportError("not a secp256k1 public key: no point of the curve") from error
    return str(to_checksum_address(keccak_of(point[1:])[12:]))


def keccak_of(*parts: bytes) -> bytes:
    """Give keccak256 of the parts laid end to end."""
    return bytes(keccak(b"".join(parts)))


def encode_uint(value: int, bits: int) -> bytes:
    """Give a number's 32 bytes.

    Raises:
        ReportError: it does not fit in so many bits.
    """
    if not 0 <= value < 1 << bits:
        raise ReportError(f"{value} does not fit in uint{bits}")
    return value.to_bytes(32)


def encode_address(text: str) -> bytes:
    """Give an address's 32 bytes.

    Raises:
        ReportError: it is not 0x and 40 hex digits, in lower case or in EIP-55's mixed case.
    """
    if (
        not isinstance(text, str)
        or not _ADDRESS.fullmatch(text)
        or text not in {text.lower(), to_checksum_address(text)}
    ):
        raise ReportError(
            f"{text!r} is not an address (0x and 40 hex digits, EIP-55 checksum if in mixed case)"
        )
    return bytes(12) + bytes.fromhex(text[2:])


def _invalid(message: str) -> ReportError:
    return ReportError(message, reason=Reason.SIGNATURE_INVALID)
