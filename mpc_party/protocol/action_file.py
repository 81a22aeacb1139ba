"""The action file: one typed action of a consortium's members, with one member's signature, as JSON.

The first member makes it, the others check and sign the same action, and whoever brings the action to the chain collects the
files. Hex is lower case with 0x, addresses are EIP-55. A member that is a contract signs as it does (ERC-1271): `signature`
is then what its `isValidSignature` takes. Version 1.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from mpc_party.protocol.actions import Action, action_digest, action_hash
from mpc_party.protocol.consortium_rules import check_address
from mpc_party.protocol.eip712 import verify_signature
from mpc_party.protocol.errors import ConfigError, ReportError
from mpc_party.protocol.files import one_line, read_limited, write_atomic
from mpc_party.protocol.nesting import decode_json

VERSION: Final = 1
MAX_BYTES: Final = 64 * 1024
_HEX_FIELDS: Final = ("salt", "action")


class ActionFile(msgspec.Struct, frozen=True):
    """A signed action.

    Attributes:
        chain_id: of the chain that it is for.
        members: address of the members' contract.
        action: what is decided.
        signer: the member's account.
        signature: over `action_digest`; 65 bytes r, s, v of an account, or what a contract takes.
    """

    chain_id: int
    members: str
    action: Action
    signer: str
    signature: bytes

    @property
    def hash(self) -> bytes:
        """The action's name at the members' contract."""
        return action_hash(self.action)

    @property
    def digest(self) -> bytes:
        """What is signed."""
        return action_digest(self.action, self.chain_id, self.members)

    @property
    def subject(self) -> tuple[int, str, bytes]:
        """The same for all files of one action."""
        return self.chain_id, self.members, self.hash

    def require_account_signature(self) -> None:
        """Check that the signer's own key made the signature.

        Raises:
            ReportError: SIGNATURE_INVALID; where the signer is a contract, only the chain can say.
        """
        verify_signature(self.digest, self.signature, self.signer)


class _Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    chain_id: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    members: str
    action: dict[str, Any]
    hash: Annotated[str, Meta(pattern=r"^0x[0-9a-f]{64}\Z")]
    digest: Annotated[str, Meta(pattern=r"^0x[0-9a-f]{64}\Z")]
    signer: str
    signature: Annotated[str, Meta(pattern=r"^0x([0-9a-f]{2}){1,16384}\Z")]


def save_action_file(path: Path, file: ActionFile) -> None:
    """Write it, not over another one.

    Raises:
        ConfigError: it exists, or cannot be written.
    """
    write_atomic(path, dump_action_file(file), overwrite=False)


def dump_action_file(file: ActionFile) -> bytes:
    """The file's text."""
    action = msgspec.to_builtins(file.action, builtin_types=(bytes,))
    shown = {name: _hex(value) if isinstance(value, bytes) else value for name, value in action.items()}
    stored = {
        "version": VERSION,
        "chain_id": file.chain_id,
        "members": file.members,
        "action": shown,
        "hash": _hex(file.hash),
        "digest": _hex(file.digest),
        "signer": file.signer,
        "signature": _hex(file.signature),
    }
    return json.dumps(stored, indent=2).encode() + b"\n"


def load_action_file(path: Path) -> ActionFile:
    """Read one, and check that its hashes are those of its action. Signatures are checked by whoever needs them.

    Raises:
        ConfigError: there is no such file, or it is no action file.
    """
    text = read_limited(path, MAX_BYTES, "action file")
    try:
        return _parse(text)
    except ConfigError as error:
        raise ConfigError(f"action file {path}: {error.message}") from None
    except (msgspec.MsgspecError, ReportError, ValueError, RecursionError) as error:
        raise ConfigError(f"action file {path}: {one_line(str(error))}") from None


def _parse(text: bytes) -> ActionFile:
    stored = msgspec.convert(decode_json(text), _Stored)
    if stored.version != VERSION:
        raise ConfigError(f"has version {stored.version}; this program reads version {VERSION}")
    check_address(stored.members, "members")
    check_address(stored.signer, "signer")
    file = ActionFile(
        stored.chain_id,
        stored.members,
        read_action(stored.action),
        stored.signer,
        bytes.fromhex(stored.signature[2:]),
    )
    if (_hex(file.hash), _hex(file.digest)) != (stored.hash, stored.digest):
        raise ConfigError("its hashes are not those of its action")
    return file


def read_action(stored: dict[str, Any]) -> Action:
    """Read an action as it stands in a file.

    Raises:
        ValueError, msgspec.ValidationError: it is none.
    """
    fields = dict(stored)
    for name in _HEX_FIELDS:
        value = fields.get(name)
        if isinstance(value, str):
            fields[name] = bytes.fromhex(value.removeprefix("0x"))
    action: Action = msgspec.convert(fields, Action, builtin_types=(bytes,))
    return action


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
