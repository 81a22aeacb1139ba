"""Evidence is judged by the consortium file of its epoch, and by no other."""

from __future__ import annotations

import msgspec
import pytest

from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.signing import Evidence
from mpc_party.signing.judge_keygen import KeygenCase
from mpc_party.signing.judges import judge
from mpc_party.signing.signing_case import SigningCase
from mpc_party.signing.verdict import Verdict
from tests.support.consortium import complete, make_cast


@pytest.fixture(scope="module")
def consortium():
    return complete(make_cast(4))


def keygen_case(consortium, **changes):
    case = KeygenCase(consortium.roster_hash, 1, 1, 4, bytes(32))
    return msgspec.structs.replace(case, **changes)


def signing_case(consortium, **changes):
    key = consortium.key
    shares = tuple(bytes.fromhex(point) for point in key.public_shares)
    case = SigningCase(consortium.hash, 1, 7, (0, 1, 3), bytes.fromhex(key.public_key), shares)
    return msgspec.structs.replace(case, **changes)


def judged(case, consortium):
    evidence = Evidence(1, case.protocol, msgspec.msgpack.encode(case), 0, ())
    return judge(Evidence.decode(evidence.encode()), consortium)


def test_evidence_without_statements_names_nobody(consortium):
    for case in (keygen_case(consortium), signing_case(consortium)):
        assert case.misfit(consortium) is None
        assert judged(case, consortium) == Verdict(())


@pytest.mark.parametrize("change", [{"roster_hash": bytes(32)}, {"epoch": 2}, {"threshold": 2}, {"count": 5}])
def test_a_key_generation_of_another_file_is_refused(consortium, change):
    with pytest.raises(ConfigError) as raised:
        judged(keygen_case(consortium, **change), consortium)
    assert raised.value.reason is Reason.CONSORTIUM_MISMATCH


@pytest.mark.parametrize(
    "change",
    [
        {"consortium_hash": bytes(32)},
        {"epoch": 2},
        {"public_key": b"\x02" * 33},
        {"public_shares": (b"\x02" * 33,) * 4},
        {"signers": (0, 1, 2, 3)},
        {"signers": (0, 3, 1)},
        {"signers": (0, 1, 1)},
        {"signers": (0, 1, 4)},
        {"signers": (0, 1, 200)},
    ],
)
def test_a_round_of_another_file_or_with_other_signers_is_refused(consortium, change):
    case = signing_case(consortium, **change)
    with pytest.raises(ConfigError) as raised:
        judged(case, consortium)
    assert raised.value.reason is Reason.CONSORTIUM_MISMATCH


def test_a_round_is_judged_by_no_file_without_a_key(consortium):
    bare = msgspec.structs.replace(consortium, key=None, model=None, settlement=None)
    assert signing_case(consortium).misfit(bare) is not None
