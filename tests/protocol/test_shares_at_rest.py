"""A share file read with its salts and leaves: the same content again when sealed, and every check of `open_share`."""

import json
from pathlib import Path

import pyrage
import pytest

from mpc_party.protocol.model_share import ModelShareError, component_leaf, subsets
from mpc_party.protocol.shares_at_rest import open_at_rest
from tests.support.model_shares import decryptor, make_dealt

GOLDEN = Path(__file__).parent / "golden"
FACTS = json.loads((GOLDEN / "model-share.v1.json").read_text())
DATA = (GOLDEN / "model-share.v1.age").read_bytes()
IDENTITY = pyrage.x25519.Identity.from_str(FACTS["identity"])
COMMITMENT = bytes.fromhex(FACTS["commitment"])


def golden(**changed):
    options = {"member": FACTS["member"], "commitment": COMMITMENT} | changed
    return open_at_rest(DATA, decryptor(IDENTITY), **options)


def test_the_golden_file_seals_to_the_same_content():
    share = golden()
    sealed = share.seal(str(IDENTITY.to_public()))
    assert bytes(pyrage.decrypt(sealed, [IDENTITY])).hex() == FACTS["plaintext"]
    assert share.commitment == COMMITMENT


@pytest.mark.parametrize(("members", "threshold"), [(3, 1), (5, 2), (7, 3)])
def test_salts_and_words_are_those_that_the_leaves_are_over(members, threshold):
    dealt = make_dealt(members, threshold, [1, -2, 3])
    names = subsets(members, threshold)
    for member, identity in enumerate(dealt.identities):
        share = open_at_rest(dealt.files[member], decryptor(identity), member=member, commitment=None)
        assert list(share.held) == [subset for subset in names if member not in subset]
        for subset, (salt, words) in share.held.items():
            assert component_leaf(subset, salt, words) == share.leaves[names.index(subset)]
            assert words == dealt.open(member).component(subset)


@pytest.mark.parametrize(
    ("changed", "message"), [({"member": 1}, "is for member"), ({"commitment": bytes(32)}, "another model")]
)
def test_what_open_share_refuses_is_refused(changed, message):
    with pytest.raises(ModelShareError, match=message):
        golden(**changed)


def test_nothing_of_it_is_shown():
    assert f"{golden()!r} {golden()}" == "<SharesAtRest> <SharesAtRest>"
