"""Independent operations in shared rounds."""

import pytest
import torch

from mpc_party.secure import multiply, multiply_many, open_many, open_shares, together, truncate
from mpc_party.secure.comparison import relu
from mpc_party.secure.steps import merged, run
from tests.support.secure_parties import give, run_secure, same


def test_merged_operations_take_the_rounds_of_the_longest_and_give_the_same_results():
    x, y = torch.tensor([1.5, -2.0, 3.0]), torch.tensor([2.0, 0.25])

    def program(session):
        a, b = give(session, 0, x), give(session, 1, y)
        before = session.traffic.rounds
        product, positive, opened = together(
            multiply.steps(a, a), relu.steps(b - 1.0), open_many.steps([a, b])
        )
        assert session.traffic.rounds - before == 4
        return [open_shares(product), open_shares(positive), *opened]

    outcome = run_secure(program)
    for results, expected in zip(
        zip(*outcome.results, strict=True), (x * x, (y - 1).relu(), x, y), strict=True
    ):
        assert torch.allclose(same(results), expected.double(), atol=2**-16)


def test_what_goes_to_one_peer_in_one_round_is_one_frame():
    def program(session):
        a, b = give(session, 0, torch.ones(2)), give(session, 0, torch.ones(5))
        frames = len(session._exchange.received)
        open_many([a, b])
        return len(session._exchange.received) - frames

    assert run_secure(program).results == [1, 1, 1]


def test_merging_nests():
    def program(session):
        x = give(session, 0, torch.tensor([2.0]))
        inner = merged([multiply.steps(x, x), multiply.steps(x, x)])
        before = session.traffic.rounds
        (first, _), many = together(inner, multiply_many.steps([(x, x), (x, x)]))
        assert session.traffic.rounds - before == 1
        return open_shares(first + many[0])

    assert same(run_secure(program).results).tolist() == [8.0]


def test_what_is_dealt_ahead_does_not_keep_others_from_sharing_a_round():
    def program(session):
        x = give(session, 0, torch.tensor([2.0, 3.0]))
        before = session.traffic.rounds, session.traffic.ahead
        # A product deals first and opening does not: they meet in one round, and so do products behind a truncation.
        product, opened = together(multiply.steps(x, x), open_shares.steps(x))
        assert (session.traffic.rounds - before[0], session.traffic.ahead - before[1]) == (1, 1)
        half, again, _ = together(truncate.steps(x, 1), multiply.steps(x, product), open_shares.steps(x))
        assert (session.traffic.rounds - before[0], session.traffic.ahead - before[1]) == (2, 2)
        return opened + open_shares(half + again)

    assert same(run_secure(program).results).tolist() == [2 + 1 + 8, 3 + 1.5 + 27]


def test_nothing_together_is_nothing():
    assert together() == []
    assert run(merged([])) == []


def test_an_operation_keeps_its_name_and_documentation():
    assert multiply.__name__ == "multiply"
    assert "Collective" in multiply.__doc__


def test_an_error_in_one_operation_reaches_the_caller():
    def program(session):
        x = give(session, 0, torch.ones(3))
        with pytest.raises(RuntimeError):
            together(multiply.steps(x, x), multiply.steps(x, x[:2]))

    run_secure(program)
