from __future__ import annotations

import copy
import pickle  # noqa: TID251 - to see that it refuses

import pytest

from mpc_party.protocol.broker_access import BrokerCredentials
from mpc_party.protocol.identity import CoordinatorIdentity, Identity
from mpc_party.protocol.passphrase import Passphrase

SECRETS = [
    Passphrase("hunter2"),
    BrokerCredentials("desk", "hunter2"),
    CoordinatorIdentity.generate(),
    Identity.generate("alice", "127.0.0.1:7000"),
]


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: type(secret).__name__)
def test_secrets_neither_show_themselves_nor_travel(secret: object) -> None:
    for text in (repr(secret), str(secret), f"{secret}", f"{secret!r:>10}", f"{[secret]}"):
        assert "hunter2" not in text
        assert text.strip("[] ").startswith(f"<{type(secret).__name__}")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="holds secrets"):
            pickle.dumps(secret, protocol)
    for copier in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="holds secrets"):
            copier(secret)
