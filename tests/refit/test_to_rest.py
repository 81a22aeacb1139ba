"""Shares at rest that nobody dealt: complete, fresh, checked by all, and useless to a single member."""

import itertools
import json
from pathlib import Path

import msgspec
import numpy as np
import pyrage
import pytest
import torch
from scipy.stats import chi2

from mpc_party.mesh.exchange import FrameKind
from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.protocol.model_share import (
    VERSION,
    ModelHeader,
    component_leaf,
    model_commitment,
    open_share,
    seal_share,
    subsets,
)
from mpc_party.refit.agreement import model_header
from mpc_party.refit.equations import pooled_weights
from mpc_party.refit.to_rest import to_rest
from mpc_party.secure import SecureError, SecureSession, SessionContext
from mpc_party.secure.at_rest import committee_components
from tests.support.local_mesh import local_mesh, party_outcomes
from tests.support.refits import PARAMETERS, desk_equations, identities, rebuild, run_refit
from tests.support.secure_parties import give, repeatable_entropy

MANY = 4096
GOLDEN = Path(__file__).parents[1] / "protocol" / "golden"
BITS = 16


def header(members, count=3):
    return ModelHeader(VERSION, bytes(range(32)), 1, "minimum-variance-quadratic", count, BITS, members, 1)


def convert(members, values, *, tamper=None, committee=(0, 1, 2), of=None, seed=0):
    """`to_rest` of these values by a committee of `members`; outcomes and links."""
    links = local_mesh(range(members))
    names = tuple(f"m{i}" for i in range(members))

    def member(link):
        if link.own not in committee:
            return to_rest(link, header(members, len(values)), committee, None, names)
        context = SessionContext(bytes(32), 1, 0)
        entropy = repeatable_entropy(seed, link.own)
        session = SecureSession(link, committee, context, entropy=entropy).setup()
        with session:
            weights = give(session, 0, torch.tensor(values))
            link.received.clear()
            if tamper is not None and link.own == of:
                link.tamper = tamper
            return to_rest(link, header(members, len(values)), committee, weights, names)

    return party_outcomes(links, member), links


def held_words(share, subset):
    return np.frombuffer(share.held[subset][1], dtype="<i8")


def total(shares):
    """The sum of all components: what only two members together can form."""
    parts = [
        held_words(next(s for s in shares.values() if s.member not in subset), subset)
        for subset in subsets(len(shares), 1)
    ]
    return sum(parts) / 2.0**BITS


@pytest.mark.parametrize("members", [3, 4, 5, 7])
def test_components_add_up_and_all_members_compute_one_commitment(members):
    shares, _ = convert(members, [0.5, -1.25, 3.0])
    assert total(shares).tolist() == [0.5, -1.25, 3.0]
    assert len({share.commitment for share in shares.values()}) == 1
    for share in shares.values():
        assert sorted(share.held) == [s for s in subsets(members, 1) if share.member not in s]
        for subset, parts in share.held.items():
            assert all(parts == other.held[subset] for other in shares.values() if other.member not in subset)


@pytest.mark.parametrize("members", [3, 4, 7])
def test_bytes_are_what_the_conversion_says(members):
    _, links = convert(members, [0.5, 0.25, 0.125])
    parts = (members - 1) * (3 * 8 + 32)
    for link in links:
        sizes = {kind: [len(d) for _, k, d in link.received if k is kind] for kind in FrameKind}
        # A committee member lacks one component, which two others hold; the others lack all three.
        assert sizes[FrameKind.CEREMONY] == ([parts] * 2 if link.own < 3 else [2 * parts] * 3)
        assert sizes[FrameKind.CHECK] == [32 * (members - 1)] * (members - 1)


@pytest.mark.parametrize("committee", [(0, 1, 2), (1, 2, 4), (0, 3, 4)])
def test_any_three_members_may_have_computed(committee):
    links = local_mesh(range(5))

    def member(link):
        names = tuple("abcde")
        if link.own not in committee:
            return to_rest(link, header(5), committee, None, names)
        with SecureSession(link, committee, SessionContext(bytes(32), 1, 0)).setup() as session:
            weights = give(session, 1, torch.tensor([0.5, 0.25, -2.0]))
            return to_rest(link, header(5), committee, weights, names)

    assert total(party_outcomes(links, member)).tolist() == [0.5, 0.25, -2.0]


@pytest.mark.parametrize("members", [3, 4, 7])
def test_files_are_read_as_dealt_ones_are_and_any_committee_computes_with_them(members):
    run = run_refit([desk_equations(seed) for seed in range(members)])
    expected = pooled_weights([desk_equations(seed) for seed in range(members)], PARAMETERS.ridge)
    opened = [run.opened(member) for member in range(members)]
    assert opened[0].header == model_header(run.consortium)
    for pair in itertools.combinations(opened, 2):
        assert np.abs(rebuild(pair) - expected).max() < 6e-5
    for committee in itertools.combinations(range(members), 3):
        first, second, _ = (committee_components(opened[m], committee) for m in committee)
        assert np.abs((first[0] + first[1] + second[1]) / 2.0**BITS - expected).max() < 6e-5


def test_parts_give_the_bytes_of_the_file_that_a_dealer_wrote():
    """The golden file's parts, put together without a dealer: the same content, leaves and commitment."""
    facts = json.loads((GOLDEN / "model-share.v1.json").read_text())
    plain = bytes.fromhex(facts["plaintext"])
    _, fields, member, leaves, components = msgspec.msgpack.decode(plain)
    head = ModelHeader(*fields)
    held = {tuple(subset): (salt, words) for subset, salt, words in components}
    for subset, (salt, words) in held.items():
        assert component_leaf(subset, salt, words) == leaves[subset[0]]
    assert model_commitment(head, leaves).hex() == facts["commitment"]
    identity = pyrage.x25519.Identity.generate()
    sealed = seal_share(head, member, leaves, held, str(identity.to_public()))
    assert bytes(pyrage.decrypt(sealed, [identity])) == plain


def test_a_file_is_for_its_member_alone():
    run = run_refit([desk_equations(seed) for seed in range(3)])
    data = run.shares[0].seal(identities(3)[0].member.encryption_key)
    with pytest.raises(ConsortiumError, match="does not decrypt"):
        open_share(data, identities(3)[1].decrypt, member=0, commitment=run.shares[0].commitment)
    with pytest.raises(ConsortiumError, match="another model"):
        open_share(data, identities(3)[0].decrypt, member=0, commitment=bytes(32))


@pytest.mark.parametrize("members", [3, 4])
def test_the_component_that_a_member_lacks_is_uniform(members):
    """Equal weights: what a member lacks must hide them all, and is that what it holds subtracted from the truth."""
    shares, _ = convert(members, [0.5] * MANY)
    for share in shares.values():
        missing = (1 << (BITS - 1)) - sum(held_words(share, subset) for subset in share.held)
        counts = [
            np.bincount(lane, minlength=256) for lane in missing.astype("<i8").view(np.uint8).reshape(-1, 8).T
        ]
        statistic = ((np.array(counts) - MANY / 256) ** 2 / (MANY / 256)).sum(1)
        assert chi2.sf(statistic, 255).min() > 1e-9


def test_what_a_member_receives_and_holds_forms_the_weights_in_no_pair():
    """Parts of components, sums of parts, and its components of the committee's sharing, in all pairs."""
    shares, links = convert(3, [0.5] * 64)
    word = 1 << (BITS - 1)
    for own, link in enumerate(links):
        arrays = [held_words(shares[own], subset) for subset in shares[own].held]
        for _, kind, data in link.received:
            if kind is FrameKind.CEREMONY:
                size = 8 * 64 + 32
                arrays += [
                    np.frombuffer(data[i : i + size - 32], dtype="<i8") for i in range(0, len(data), size)
                ]
        for first, second in itertools.combinations(arrays, 2):
            for combined in (first, second, first + second, first - second):
                assert not (combined == word).any()


def test_every_refit_has_fresh_components_and_salts():
    """The same weights: nothing that lies at rest of two refits is the same."""
    (first, _), (second, _) = convert(3, [0.5]), convert(3, [0.5], seed=1)
    for own in range(3):
        for subset, (salt, words) in first[own].held.items():
            other_salt, other_words = second[own].held[subset]
            assert (salt, words) != (other_salt, other_words)
            assert salt != other_salt
            assert words != other_words
        assert len({salt for salt, _ in first[own].held.values()}) == 2


def flip_nth(nth, kinds):
    seen = itertools.count()

    def tamper(_peer, kind, data):
        if kind in kinds and next(seen) == nth:
            return bytes([data[0] ^ 1]) + data[1:]
        return data

    return tamper


@pytest.mark.parametrize("members", [3, 4])
@pytest.mark.parametrize("of", [0, 1, 2])
@pytest.mark.parametrize("kind", [FrameKind.WORDS, FrameKind.CEREMONY, FrameKind.CHECK])
@pytest.mark.parametrize("nth", [0, 1])
def test_a_flipped_bit_in_any_message_is_found_by_an_honest_member(members, of, kind, nth):
    outcomes, links = convert(members, [0.5, 1.0, -1.0], tamper=flip_nth(nth, {kind}), of=of)
    sent = sum(1 for link in links for peer, found, _ in link.received if peer == of and found is kind)
    failures = {m: o for m, o in outcomes.items() if m != of and isinstance(o, SecureError)}
    if sent > nth:
        assert failures
        assert {failure.reason for failure in failures.values()} == {Reason.ECHO_MISMATCH}
        named = {failure.culprit for failure in failures.values()} - {None}
        assert named <= {f"m{of}"} or kind is FrameKind.WORDS
    else:
        assert not failures


@pytest.mark.parametrize("kind", [FrameKind.CEREMONY, FrameKind.CHECK])
def test_a_message_of_another_length_names_its_sender(kind):
    outcomes, _ = convert(3, [0.5], tamper=lambda _p, k, data: data + b"\0" if k is kind else data, of=1)
    failures = [o for o in outcomes.values() if isinstance(o, SecureError)]
    assert failures
    assert {(f.reason, f.culprit) for f in failures} == {(Reason.FRAME_MALFORMED, "m1")}


def test_another_threshold_is_refused():
    (link, *_) = local_mesh(range(5))
    other = ModelHeader(VERSION, bytes(32), 1, "minimum-variance-quadratic", 3, BITS, 5, 2)
    with pytest.raises(SecureError, match="threshold 1"):
        to_rest(link, other, (0, 1, 2), None, tuple("abcde"))


def test_nothing_of_a_share_is_shown():
    shares, _ = convert(3, [0.5])
    assert repr(shares[0]) == "<SharesAtRest>"
