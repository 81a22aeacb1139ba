"""Who holds what: enough to compute, and too little to pry."""

import itertools

import pytest

from mpc_party.secure.layout import MAX_THRESHOLD, layout_of

THRESHOLDS = range(1, MAX_THRESHOLD + 1)


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_any_t_parties_lack_exactly_one_component_and_any_more_lack_none(threshold):
    layout = layout_of(threshold)
    every = set(range(len(layout.subsets)))
    for group in itertools.combinations(range(layout.parties), threshold):
        lacking = every - set().union(*(layout.held[p] for p in group))
        assert [layout.subsets[c] for c in lacking] == [group]
    for group in itertools.combinations(range(layout.parties), threshold + 1):
        assert set().union(*(layout.held[p] for p in group)) == every


@pytest.mark.parametrize(("threshold", "components", "held"), [(1, 3, 2), (2, 10, 6), (3, 35, 20)])
def test_how_many_components_there_are_and_how_many_each_holds(threshold, components, held):
    layout = layout_of(threshold)
    assert layout.parties == 2 * threshold + 1
    assert len(layout.subsets) == len(set(layout.subsets)) == components
    assert [len(slots) for slots in layout.held] == [held] * layout.parties


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_holders_and_slots_say_the_same_as_what_is_held(threshold):
    layout = layout_of(threshold)
    for component, lacking in enumerate(layout.subsets):
        holders = layout.holders(component)
        assert sorted({*holders, *lacking}) == list(range(layout.parties))
        assert len(holders) == threshold + 1
        for position in range(layout.parties):
            slot = layout.slot(position, component)
            assert (slot is None) == (position in lacking)
            assert slot is None or layout.held[position][slot] == component


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_every_pair_of_components_is_multiplied_once_by_somebody_who_holds_both(threshold):
    layout = layout_of(threshold)
    pairs = [
        (layout.held[position][x], layout.held[position][y])
        for position, terms in enumerate(layout.products)
        for slots_x, slots_y in terms
        for x, y in itertools.product(slots_x, slots_y)
    ]
    assert sorted(pairs) == sorted(itertools.product(range(len(layout.subsets)), repeat=2))


@pytest.mark.parametrize(("threshold", "most"), [(2, 6), (3, 20)])
def test_products_are_spread_over_the_parties(threshold, most):
    layout = layout_of(threshold)
    loads = [sum(len(x) * len(y) for x, y in terms) for terms in layout.products]
    assert max(loads) - min(loads) <= len(layout.subsets)
    assert max(len(terms) for terms in layout.products) <= most


def test_with_three_parties_position_i_holds_x_i_and_the_next():
    assert layout_of(1).held == ((0, 1), (1, 2), (2, 0))


@pytest.mark.parametrize("threshold", [1, 2, 3])
def test_every_component_is_counted_once_by_who_holds_it(threshold):
    layout = layout_of(threshold)
    counted = [layout.held[p][slot] for p in range(layout.parties) for slot in layout.counted[p]]
    assert sorted(counted) == list(range(len(layout.subsets)))
