"""From bits to words."""

import itertools

import numpy as np
import pytest
import torch

from mpc_party.secure import ReplicatedShares, open_many, open_shares
from mpc_party.secure.bits import to_planes
from mpc_party.secure.sharing import random_fractions
from mpc_party.secure.steps import run
from mpc_party.secure.three.selection import lift, select
from tests.support.secure_parties import generator_of, give, run_secure, same


def shared_bits(session, bits, seed=0):
    """A binary sharing of a fixed bit per element, (2, M)."""
    generator = generator_of(seed)
    first, second = (to_planes(generator.integers(0, 2, bits.size))[0] for _ in range(2))
    parts = [first, second, to_planes(bits)[0] ^ first ^ second]
    return np.stack([parts[session.position], parts[session.next]])


@pytest.mark.parametrize("count", [1, 63, 64, 65, 1000])
@pytest.mark.parametrize("negate", [False, True])
def test_bits_become_numbers_and_choose_values(count, negate):
    bits = generator_of(3).integers(0, 2, count)
    values = torch.linspace(-5, 5, count)

    def program(session):
        x, plane = give(session, 1, values), shared_bits(session, bits)
        rounds = session.traffic.rounds
        numbers = run(lift(session, plane, tuple(x.shape), negate=negate))
        chosen = run(select(session, x.words.numpy(), plane, negate=negate))
        assert session.traffic.rounds - rounds == 2
        results = [(numbers, 0), (chosen, 16), (x.words.numpy(), 16)]
        shares = [ReplicatedShares(session, torch.from_numpy(words), scale) for words, scale in results]
        return torch.stack(open_many(shares))

    numbers, chosen, x = same(run_secure(program).results)
    expected = torch.from_numpy(bits ^ negate)
    assert torch.equal(numbers, expected.double())
    assert torch.equal(chosen, x * expected)  # exact


def test_bytes():
    def program(session):
        x, plane = give(session, 1, torch.ones(64)), shared_bits(session, np.ones(64, dtype=np.int64))
        sent = [session.traffic.bytes_sent]
        run(lift(session, plane, tuple(x.shape)))
        sent.append(session.traffic.bytes_sent)
        run(select(session, x.words.numpy(), plane))
        sent.append(session.traffic.bytes_sent)
        return [(b - a) // 64 for a, b in itertools.pairwise(sent)]

    assert run_secure(program).results == [[8, 16], [8, 8], [8, 8]]


def test_random_fractions_are_uniform():
    def program(session):
        return open_shares(random_fractions((100, 200)))

    values = same(run_secure(program).results)
    assert float(values.min()) >= 0
    assert float(values.max()) < 1
    counts = np.bincount((values * 64).long().flatten().numpy(), minlength=64)
    assert float(((counts - 312.5) ** 2 / 312.5).sum()) < 63 + 8 * (2 * 63) ** 0.5
    low = np.bincount(((values * 2**16).long() & 63).flatten().numpy(), minlength=64)  # the low bits too
    assert float(((low - 312.5) ** 2 / 312.5).sum()) < 63 + 8 * (2 * 63) ** 0.5
