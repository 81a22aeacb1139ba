"""What t old and t' new members see together fits every key, each as well as the true one."""

from __future__ import annotations

import itertools

import pytest

from mpc_party.signing.curve import multiply_base
from mpc_party.signing.field import GROUP_ORDER, lagrange
from tests.support.plain_scalars import random_scalar, recombine_plain, shown
from tests.support.reshare_runs import shaped

SHAPES = ["3/1 -> 5/2, two join", "5/2 -> 3/1, two leave", "7/3 -> 7/3, refresh", "3/1 -> 3/1, nobody stays"]


def dealt(moved):
    """By dealer, its polynomial: coefficients, constant first."""
    polynomials = {}
    for dealer in moved.context.dealers:
        party = moved.party(dealer)
        party.commit()
        polynomials[dealer] = [shown(coefficient) for coefficient in party._polynomial]
    return polynomials


def value(polynomial, at):
    return sum(c * pow(at, k, GROUP_ORDER) for k, c in enumerate(polynomial)) % GROUP_ORDER


@pytest.mark.parametrize("shape", SHAPES)
def test_every_candidate_for_the_key_fits_what_t_old_and_t_new_members_saw(shape):
    moved = shaped(shape)
    context, threshold = moved.context, moved.context.old.threshold
    polynomials = dealt(moved)
    old_corrupt = context.dealers[:threshold]  # the worst case: all but one of the dealers
    new_corrupt = context.receivers[-context.threshold :]
    honest = [dealer for dealer in context.dealers if dealer not in old_corrupt]
    seen_shares = {i: shown(moved.old[context.old_seat(i)].secret) for i in old_corrupt}
    seen_deals = {
        (dealer, j): value(polynomials[dealer], context.new_coordinate(j))
        for dealer in honest
        for j in new_corrupt
    }

    for _ in range(3):
        candidate = random_scalar()
        old_points = [0, *(context.old_seat(i) + 1 for i in old_corrupt)]
        old_values = [candidate, *seen_shares.values()]
        weights = dict(zip(context.dealers, lagrange(context.dealer_coordinates), strict=True))
        new_points = [0, *(context.new_coordinate(j) for j in new_corrupt)]

        def alternative(dealer, at):  # another polynomial of degree t' that this dealer might have dealt
            share = recombine_plain(old_points, old_values, context.old_seat(dealer) + 1)  # noqa: B023
            values = [weights[dealer] * share, *(seen_deals[dealer, j] for j in new_corrupt)]  # noqa: B023
            return recombine_plain(new_points, values, at)  # noqa: B023

        everything = [lambda at, d=dealer: alternative(d, at) for dealer in honest]
        everything += [lambda at, d=dealer: value(polynomials[d], at) for dealer in old_corrupt]
        assert sum(g(0) for g in everything) % GROUP_ORDER == candidate
        for j in new_corrupt:
            at = context.new_coordinate(j)
            assert (
                sum(g(at) for g in everything) % GROUP_ORDER
                == sum(value(p, at) for p in polynomials.values()) % GROUP_ORDER
            )


@pytest.mark.parametrize("shape", SHAPES)
def test_old_and_new_shares_below_both_thresholds_do_not_interpolate_to_the_key(shape):
    moved = shaped(shape)
    threshold, new_threshold = moved.old[0].threshold, moved.context.threshold
    new = moved.new_shares()
    for old_part in itertools.islice(itertools.combinations(moved.old, threshold), 4):
        for new_part in itertools.islice(itertools.combinations(new, new_threshold), 4):
            pool = [(s.index + 1, shown(s.secret)) for s in (*old_part, *new_part)]
            for count in range(1, len(pool) + 1):
                for subset in itertools.combinations(pool, count):
                    if len({x for x, _ in subset}) == count:
                        found = recombine_plain(*map(list, zip(*subset, strict=True)))
                        assert multiply_base(found).encode() != moved.old[0].public_key


def test_a_dealer_deals_another_polynomial_each_time_but_for_its_constant_term():
    moved = shaped("3/1 -> 5/2, two join")
    first, second = dealt(moved), dealt(moved)
    for dealer in moved.context.dealers:
        assert first[dealer][0] == second[dealer][0]
        assert set(first[dealer][1:]).isdisjoint(second[dealer][1:])


def test_the_result_is_uniform_as_soon_as_one_dealer_is_honest():
    # The same cheat, with the same polynomial, beside an honest dealer: every share is another each time.
    moved = shaped("3/1 -> 3/1, refresh")
    cheat = dealt(moved)[1]
    seen = set()
    for _ in range(50):
        honest = dealt(moved)[0]
        seen.add(tuple((value(honest, at) + value(cheat, at)) % GROUP_ORDER for at in (1, 2, 3)))
    for column in zip(*seen, strict=True):
        assert len(set(column)) == 50
        assert (
            8 <= sum(share < GROUP_ORDER // 2 for share in column) <= 42
        )  # misses with probability below 1e-6
