import json

import pytest
from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak

from coordinator.cli import app
from coordinator.governance.typed_data import typed_data
from mpc_party.protocol.action_file import save_action_file
from mpc_party.protocol.actions import action_digest
from tests.protocol.test_action_file import ACTIONS, MEMBERS, signed
from tests.support.command_lines import call


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: type(action).__name__)
def test_a_wallets_library_signs_the_same_digest(action):
    """eth-account's encoder is another's: it knows nothing of ours but this document."""
    document = json.loads(json.dumps(typed_data(action, 31_337, MEMBERS)))
    message = encode_typed_data(full_message=document)
    digest = keccak(b"\x19" + message.version + message.header + message.body)
    assert digest == action_digest(action, 31_337, MEMBERS)


def test_show_prints_it(tmp_path):
    path = tmp_path / "a.json"
    save_action_file(path, signed(ACTIONS[0]))
    said = call(app, "act", "show", path, "--typed-data")
    assert said.status == 0
    assert said.json == typed_data(ACTIONS[0], 31_337, MEMBERS)
    words = call(app, "act", "show", path)
    assert "Put group key" in words.text
