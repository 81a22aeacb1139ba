"""What every side speaks: the consortium file, identities, signed messages, the MQTT bus, the report.

Pure data and its checks, and the two things that touch the outside: files (`files`, `keystore`) and the broker
(`bus`). Knows nothing of the computation, and nothing here imports torch.
"""

from mpc_party.protocol.addresses import Address, BrokerUrl, parse_address, parse_broker_url
from mpc_party.protocol.broker_access import BrokerCredentials, BrokerError
from mpc_party.protocol.bus import Bus
from mpc_party.protocol.card import MemberCard, dump_card, load_card, parse_card, save_card
from mpc_party.protocol.consortium import (
    COORDINATOR,
    Consortium,
    GroupKey,
    Member,
    Program,
    Settlement,
)
from mpc_party.protocol.consortium_file import (
    dump_consortium,
    load_consortium,
    parse_consortium,
    save_consortium,
)
from mpc_party.protocol.errors import ConfigError, ConsortiumError, MessageError, Reason, RoundError
from mpc_party.protocol.identity import CoordinatorIdentity, Identity, Signer, encrypt_for
from mpc_party.protocol.inbox import Received
from mpc_party.protocol.keystore import open_sealed, seal
from mpc_party.protocol.messages import (
    Abort,
    Commitment,
    Message,
    Proposal,
    Result,
    Settled,
    Status,
    message_hash,
)
from mpc_party.protocol.passphrase import Passphrase, passphrase_from

__all__ = [
    "COORDINATOR",
    "Abort",
    "Address",
    "BrokerCredentials",
    "BrokerError",
    "BrokerUrl",
    "Bus",
    "Commitment",
    "ConfigError",
    "Consortium",
    "ConsortiumError",
    "CoordinatorIdentity",
    "GroupKey",
    "Identity",
    "Member",
    "MemberCard",
    "Message",
    "MessageError",
    "Passphrase",
    "Program",
    "Proposal",
    "Reason",
    "Received",
    "Result",
    "RoundError",
    "Settled",
    "Settlement",
    "Signer",
    "Status",
    "dump_card",
    "dump_consortium",
    "encrypt_for",
    "load_card",
    "load_consortium",
    "message_hash",
    "open_sealed",
    "parse_address",
    "parse_broker_url",
    "parse_card",
    "parse_consortium",
    "passphrase_from",
    "save_card",
    "save_consortium",
    "seal",
]
