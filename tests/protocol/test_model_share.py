"""Dealt models: any t + 1 members hold the whole, t hold noise, and nothing but the member's own file opens."""

import copy
import hashlib
import itertools
import json
import pickle  # noqa: TID251 - to show that it refuses
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from mpc_party.protocol.errors import Reason
from mpc_party.protocol.model_share import MAX_FILE, ModelShareError, deal, open_share, subsets
from tests.support.model_shares import CONSORTIUM, MODULUS, decryptor, header, make_dealt

GOLDEN = Path(__file__).with_name("golden")
WORDS = [0, 1, -1, 65_536, -(2**63), 2**63 - 1]
SIZES = [(n, t) for n in range(3, 8) for t in range(1, 4) if 2 * t < n]


@pytest.fixture(scope="module")
def dealt():
    return make_dealt(4, 1, WORDS)


def component(share, subset) -> list[int]:
    data = share.component(subset)
    return [int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data), 8)]


def refused(data, identity, *, member=0, commitment=None, match=None):
    with pytest.raises(ModelShareError, match=match) as caught:
        open_share(data, decryptor(identity), member=member, commitment=commitment)
    assert caught.value.reason is Reason.MODEL_MISMATCH
    assert "\n" not in str(caught.value)
    return caught.value


# The scheme


@pytest.mark.parametrize(("members", "threshold"), SIZES)
def test_any_quorum_holds_the_weights_and_no_fewer_members_do(members, threshold):
    dealing = make_dealt(members, threshold, WORDS)
    names = subsets(members, threshold)
    shares = [dealing.open(member) for member in range(members)]
    held = [{name for name in names if name in share._components} for share in shares]
    for quorum in itertools.combinations(range(members), threshold + 1):
        holder = {name: member for member in quorum for name in held[member]}
        assert set(holder) == set(names)
        total = [0] * len(WORDS)
        for name, member in holder.items():
            total = [(a + b) % MODULUS for a, b in zip(total, component(shares[member], name), strict=True)]
        assert total == [word % MODULUS for word in WORDS]
    for corrupt in itertools.combinations(range(members), threshold):
        missing = set(names) - set().union(*(held[member] for member in corrupt))
        assert missing == {corrupt}


def test_holders_of_a_component_hold_the_same(dealt):
    shares = [dealt.open(member) for member in range(4)]
    for subset in subsets(4, 1):
        assert len({share.component(subset) for share in shares if share.member not in subset}) == 1


def test_a_member_lacks_its_own_component(dealt):
    with pytest.raises(KeyError):
        dealt.open(1).component((1,))


def test_subsets_are_in_lexicographic_order():
    assert subsets(4, 1) == [(0,), (1,), (2,), (3,)]
    assert subsets(4, 2) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]


@pytest.mark.parametrize("word", [0, 2**63 - 1])
def test_components_of_a_constant_are_uniformly_random(word):
    """Chi-square of every byte position of every component; one in a million such tests would fail by chance."""
    count = 3000
    dealing = make_dealt(3, 1, [word] * count)
    first, second = dealing.open(0), dealing.open(1)
    components = [first.component((1,)), first.component((2,)), second.component((0,))]
    limit = chi2.isf(1e-6 / (3 * 8), 255)
    for data in components:
        table = np.frombuffer(data, dtype=np.uint8).reshape(count, 8)
        for position in range(8):
            counts = np.bincount(table[:, position], minlength=256)
            assert ((counts - count / 256) ** 2 / (count / 256)).sum() < limit
        assert len({data[i : i + 8] for i in range(0, len(data), 8)}) == count


def test_equal_weights_give_unequal_shares():
    one, other = make_dealt(3, 1, WORDS), make_dealt(3, 1, WORDS)
    assert one.commitment != other.commitment
    for member in range(3):
        for subset in subsets(3, 1):
            if member not in subset:
                assert one.open(member).component(subset) != other.open(member).component(subset)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5))
def test_any_weights_come_back(words):
    dealing = make_dealt(3, 1, words)
    zero, one = dealing.open(0), dealing.open(1)
    parts = component(zero, (1,)), component(zero, (2,)), component(one, (0,))
    found = [sum(column) % MODULUS for column in zip(*parts, strict=True)]
    assert found == [word % MODULUS for word in words]


# Dealing


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 2}, "6 weights, the header says 2"),
        ({"members": 4}, "3 recipients for 4 members"),
        ({"threshold": 2}, "less than half"),
        ({"members": 6, "threshold": 3}, "less than half"),
        ({"members": 8}, "<= 7"),
        ({"members": 2}, ">= 3"),
        ({"threshold": 0}, ">= 1"),
        ({"version": 2}, "version 2"),
        ({"consortium": b"short"}, "length"),
        ({"epoch": 0}, ">= 1"),
        ({"kind": "No Kind"}, "matching"),
        ({"fraction_bits": 40}, "<= 20"),
        ({"count": 0}, ">= 1"),
    ],
)
def test_a_dealing_that_no_member_would_accept_is_refused(change, message):
    recipients = [str(pyrage.x25519.Identity.generate().to_public()) for _ in range(3)]
    with pytest.raises(ModelShareError, match=message) as caught:
        deal(msgspec.structs.replace(header(3, 1, 6), **change), WORDS, recipients)
    assert caught.value.reason is Reason.CONFIG_INVALID


@pytest.mark.parametrize("word", [2**63, -(2**63) - 1, 2**64])
def test_weights_that_do_not_fit_are_refused_not_wrapped(word):
    recipients = [str(pyrage.x25519.Identity.generate().to_public()) for _ in range(3)]
    with pytest.raises(ModelShareError, match="64 bits"):
        deal(header(3, 1, 1), [word], recipients)


# Opening


def test_what_a_share_says(dealt):
    share = dealt.open(2)
    assert (share.member, share.header, share.commitment) == (2, dealt.header, dealt.commitment)
    fresh = open_share(dealt.files[2], decryptor(dealt.identities[2]), member=2, commitment=None)
    assert fresh.commitment == dealt.commitment


def test_another_members_identity_or_index(dealt):
    refused(dealt.files[0], dealt.identities[1], member=0, match="does not decrypt")
    refused(dealt.files[0], dealt.identities[0], member=1, match="is for member 0, not 1")
    refused(dealt.files[0], dealt.identities[0], member=4, match="threshold 1 of 4 members")


def test_another_models_commitment(dealt):
    other = make_dealt(4, 1, WORDS)
    refused(dealt.files[0], dealt.identities[0], commitment=other.commitment, match="another model")


@given(st.data())
def test_a_byte_changed_anywhere_is_noticed(dealt, data):
    file = bytearray(dealt.files[0])
    file[data.draw(st.integers(0, len(file) - 1))] ^= data.draw(st.integers(1, 255))
    refused(bytes(file), dealt.identities[0], commitment=dealt.commitment)


@given(st.data())
def test_a_file_cut_or_extended_is_noticed(dealt, data):
    file = dealt.files[0]
    cut = data.draw(st.integers(0, len(file) - 1))
    refused(file[:cut], dealt.identities[0])
    refused(file + data.draw(st.binary(min_size=1, max_size=64)), dealt.identities[0])


def test_a_file_under_a_passphrase_or_of_something_else(dealt):
    salt, key, mac = b"A" * 22, b"A" * 43, b"A" * 43
    scrypt = (
        b"age-encryption.org/v1\n-> scrypt " + salt + b" 30\n" + key + b"\n--- " + mac + b"\n" + bytes(40)
    )
    refused(scrypt, dealt.identities[0], match="does not decrypt")
    refused(b"", dealt.identities[0], match="does not decrypt")
    refused(b"age-encryption.org/v1\n", dealt.identities[0], match="does not decrypt")


# Contents that a hostile dealer, or anyone who knows the member's public key, could encrypt


@pytest.fixture(scope="module")
def content(dealt):
    """The decoded file of member 0: [tag, header, member, leaves, components]."""
    return msgspec.msgpack.decode(pyrage.decrypt(dealt.files[0], [dealt.identities[0]]))


def sealed(dealt, plain: bytes) -> bytes:
    return pyrage.encrypt(plain, [dealt.identities[0].to_public()])


def changed(content, path, value):
    result = copy.deepcopy(content)
    at = result
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return result


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ((0,), "other", "malformed"),
        ((1, 0), 2, "another version"),
        ((1, 1), b"x" * 31, "malformed"),
        ((1, 1), bytes(32), "another model"),
        ((1, 2), 2, "another model"),
        ((1, 2), 0, "malformed"),
        ((1, 3), "UPPER", "malformed"),
        ((1, 4), 5, "does not fit"),
        ((1, 4), 7, "does not fit"),
        ((1, 4), 0, "malformed"),
        ((1, 4), 2**20 + 1, "malformed"),
        ((1, 4), 2**64 - 1, "malformed"),
        ((1, 5), 17, "another model"),
        ((1, 5), 21, "malformed"),
        ((1, 6), 3, "lacks components"),
        ((1, 6), 5, "lacks components"),
        ((1, 6), 8, "malformed"),
        ((1, 7), 2, "threshold 2 of 4"),
        ((1, 7), 4, "malformed"),
        ((2,), 1, "is for member 1"),
        ((2,), 7, "malformed"),
        ((2,), -1, "malformed"),
        ((2,), "0", "malformed"),
        ((3,), [], "lacks components"),
        ((3, 1), bytes(32), "does not fit"),
        ((3, 0), bytes(32), "another model"),  # of the component it lacks: only the commitment tells
        ((3, 1), bytes(31), "malformed"),
        ((4,), [], "lacks components"),
        ((4, 0, 0), [2], "lacks components"),
        ((4, 0, 0), [0], "lacks components"),
        ((4, 0, 0), [300], "lacks components"),
        ((4, 0, 0), [-1], "lacks components"),
        ((4, 0, 0), [2**64 - 1], "lacks components"),
        ((4, 0, 0), [1] * 1000, "lacks components"),
        ((4, 0, 1), bytes(32), "does not fit"),
        ((4, 0, 1), bytes(33), "malformed"),
        ((4, 0, 2), b"", "does not fit"),
        ((4, 0, 2), bytes(48), "does not fit"),
        ((4, 0, 2), bytes(1 << 20), "does not fit"),
        ((4, 0, 2), "text", "malformed"),
    ],
)
def test_contents_that_fit_no_share(dealt, content, path, value, message):
    plain = msgspec.msgpack.encode(changed(content, path, value))
    refused(sealed(dealt, plain), dealt.identities[0], commitment=dealt.commitment, match=message)


def test_the_unchanged_content_opens(dealt, content):
    data = sealed(dealt, msgspec.msgpack.encode(content))
    opened = open_share(data, decryptor(dealt.identities[0]), member=0, commitment=dealt.commitment)
    assert opened.component((1,)) == dealt.open(0).component((1,))


def test_components_swapped_doubled_or_left_out(dealt, content):
    first, second, third = content[4]
    for components in (
        [second, first, third],
        [first, first, third],
        [first, second],
        [first, second, third] * 2,
    ):
        plain = msgspec.msgpack.encode([*content[:4], components])
        refused(sealed(dealt, plain), dealt.identities[0], match="lacks components")


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"\xc1",
        b"\xdd\xff\xff\xff\xff",  # an array of 2^32 - 1 elements
        b"\x95\xabmodel-share\xdd\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",  # 4 GiB of bytes
        b"\xdf\xff\xff\xff\xff",
        b"\x91" * 100_000,  # arrays within arrays
        b"\x81\xa1x" * 1000,
        b"\xc9\xff\xff\xff\xff\x01",
    ],
)
def test_sizes_that_are_only_claimed(dealt, plain):
    refused(sealed(dealt, plain), dealt.identities[0], match="malformed")


def test_leaves_of_a_claimed_size(dealt, content):
    encoded = msgspec.msgpack.encode(content)
    head = msgspec.msgpack.encode(content[:3])[1:]
    assert encoded[1:].startswith(head)
    plain = b"\x95" + head + b"\xdd\xff\xff\xff\xff" + encoded[1 + len(head) + 1 :]
    refused(sealed(dealt, plain), dealt.identities[0], match="malformed")


def test_other_encodings_of_the_same_content(dealt, content):
    plain = msgspec.msgpack.encode(content)
    tag = b"\xabmodel-share"
    assert plain.startswith(b"\x95" + tag)
    longer_string = plain.replace(tag, b"\xd9\x0bmodel-share", 1)
    longer_array = b"\xdc\x00\x05" + plain[1:]
    for other, message in (
        (longer_string, "encoding"),
        (longer_array, "encoding"),
        (plain + b"\xc0", "malformed"),
    ):
        refused(sealed(dealt, other), dealt.identities[0], match=message)
    with_more = msgspec.msgpack.encode([*content, 1])
    refused(sealed(dealt, with_more), dealt.identities[0], match="malformed")


@given(st.binary(max_size=300))
def test_any_content_is_refused(dealt, plain):
    refused(sealed(dealt, plain), dealt.identities[0], match="malformed")


def test_the_largest_file_holds_the_largest_model_of_threshold_one():
    per_component = 8 * (1 << 20)
    assert 6 * per_component + 100_000 < MAX_FILE


# The commitment and the format


def test_the_commitment_by_its_definition(dealt, content):
    _, head, _, leaves, components = content
    for subset, salt, words in components:
        preimage = b"mpc-hedge/model-component/v1" + bytes([1, *subset]) + salt + words
        assert leaves[subset[0]] == hashlib.sha256(preimage).digest()
    encoded = msgspec.msgpack.encode(head)
    preimage = b"mpc-hedge/model/v1" + len(encoded).to_bytes(4, "big") + encoded + b"".join(leaves)
    assert hashlib.sha256(preimage).digest() == dealt.commitment
    assert head[1] == CONSORTIUM


def test_golden_file_version_1():
    facts = json.loads((GOLDEN / "model-share.v1.json").read_text())
    data = (GOLDEN / "model-share.v1.age").read_bytes()
    identity = pyrage.x25519.Identity.from_str(facts["identity"])
    share = open_share(
        data, decryptor(identity), member=facts["member"], commitment=bytes.fromhex(facts["commitment"])
    )
    assert pyrage.decrypt(data, [identity]).hex() == facts["plaintext"]
    assert (share.header.members, share.header.threshold, share.header.count) == (4, 1, 3)
    parts = [component(share, (i,)) for i in (0, 1, 3)]
    missing = bytes.fromhex(facts["component_2"])
    parts.append([int.from_bytes(missing[i : i + 8], "little") for i in (0, 8, 16)])
    total = [sum(column) % MODULUS for column in zip(*parts, strict=True)]
    assert total == [word % MODULUS for word in facts["words"]]


def test_a_share_neither_shows_nor_ships_itself(dealt):
    share = dealt.open(0)
    assert repr(share) == str(share) == "ModelShare('minimum-variance-quadratic', member=0)"
    for ship in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="secret"):
            ship(share)


def test_every_member_gets_another_file(dealt):
    assert len(set(dealt.files)) == 4
    assert max(Counter(dealt.files).values()) == 1
