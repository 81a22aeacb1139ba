"""The function library: the accuracy that its docstrings state, CrypTen's settings, and maxima."""

import itertools

import pytest
import torch

from mpc_party.secure.tensors.crypten_compat import approximations, nn, settings
from tests.support.differentials import secret, wave
from tests.support.secure_parties import run_secure, same


def powers(low, high, count=1500):
    return torch.logspace(low, high, count, base=2, dtype=torch.float64)


def line(low, high, count=1500):
    return torch.linspace(low, high, count, dtype=torch.float64)


def on_grid(x):
    return (x * 2**16).round() / 2**16


def compute(function, x, seed=3, overrides=None):
    def program(session):
        with settings.temp_override(overrides or {}):
            return function(secret(session, x)).get_plain_text()

    return same(run_secure(program, seed=seed).results)


LOGITS = torch.sin(torch.arange(4000).double() * 1.7).reshape(400, 10) * 8
ALL = powers(-16, 14.99)
# name: function, PyTorch's, arguments, the error stated as a function of (argument, true value)
STATED = {
    "exp": (lambda t: t.exp(), torch.exp, line(-320, 8), lambda _, y: 8e-4 * y + 4e-5),
    "exp near 0": (lambda t: t.exp(), torch.exp, line(-4, 2), lambda _, y: 8e-4 * y + 4e-5),
    "log": (lambda t: t.log(), torch.log, ALL, lambda *_: 4e-5),
    "log in 01": (lambda t: t.log(input_in_01=True), torch.log, powers(-16, 0), lambda *_: 4e-5),
    "reciprocal": (lambda t: t.reciprocal(), torch.reciprocal, torch.cat([powers(-15, 14.99), -powers(-15, 14.99)]), lambda _, y: 3e-5 * (1 + y.abs())),
    "reciprocal in 01": (lambda t: t.reciprocal(input_in_01=True), torch.reciprocal, powers(-15, 0.9), lambda _, y: 3e-5 * (1 + y)),
    "sqrt": (lambda t: t.sqrt(), torch.sqrt, ALL, lambda _, y: 4e-5 * (1 + y)), "inv_sqrt": (lambda t: t.inv_sqrt(), torch.rsqrt, ALL, lambda _, y: 4e-5 * (1 + y)),
    "sigmoid": (lambda t: t.sigmoid(), torch.sigmoid, line(-320, 320), lambda *_: 2.5e-4), "sigmoid near 0": (lambda t: t.sigmoid(), torch.sigmoid, line(-6, 6), lambda *_: 2.5e-4),
    "tanh": (lambda t: t.tanh(), torch.tanh, line(-160, 160), lambda *_: 4e-4), "tanh near 0": (lambda t: t.tanh(), torch.tanh, line(-3, 3), lambda *_: 4e-4),
    "erf": (lambda t: t.erf(), torch.erf, line(-30000, 30000), lambda *_: 1.5e-4), "erf near 0": (lambda t: t.erf(), torch.erf, line(-4, 4), lambda *_: 1.5e-4),
    "sin": (lambda t: t.sin(), torch.sin, line(-32, 32), lambda *_: 4e-4), "cos": (lambda t: t.cos(), torch.cos, line(-32, 32), lambda *_: 4e-4),
    "softmax": (lambda t: t.softmax(1), lambda x: x.softmax(1), LOGITS, lambda *_: 3e-4), "softmax wide": (lambda t: t.softmax(-1), lambda x: x.softmax(1), LOGITS * 20, lambda *_: 3e-4),
    "log_softmax": (lambda t: t.log_softmax(1), lambda x: x.log_softmax(1), LOGITS, lambda *_: 5e-4), "log_softmax wide": (lambda t: t.log_softmax(-1), lambda x: x.log_softmax(1), LOGITS * 20, lambda *_: 5e-4),
    "pow": (lambda t: t.pow(5), lambda x: x**5, line(-4, 4), lambda x, _: (5 * x.abs() ** 4 + 10) * 2**-15),
    "hardtanh": (lambda t: t.hardtanh(-2, 0.5), lambda x: x.clamp(-2, 0.5), line(-9, 9), lambda *_: 1e-12),
    "relu6": (lambda t: t.relu6(), lambda x: x.clamp(0, 6), line(-9, 9), lambda *_: 1e-12),
}  # fmt: skip


@pytest.mark.parametrize("name", STATED)
def test_stated_errors_hold(name):
    function, plain, x, stated = STATED[name]
    x = on_grid(x)
    expected = plain(x)
    assert bool(((compute(function, x) - expected).abs() <= stated(x, expected)).all())


FAR = torch.tensor([-(2.0**15), -1000.0, -400.0, -357.0, -310.0, -299.0, -300.0, -20.0]).double()
FAR_ROWS = torch.stack([FAR, torch.zeros(8).double()], dim=1)
SATURATED = {
    "exp": (lambda t: t.exp(), torch.exp, FAR, 4e-5), "few squarings": (lambda t: t.exp(), torch.exp, FAR, 4e-5),
    "sigmoid": (lambda t: t.sigmoid(), torch.sigmoid, torch.cat([FAR, -FAR]), 2.5e-4), "tanh": (lambda t: t.tanh(), torch.tanh, torch.cat([FAR, -FAR]), 4e-4),
    "softmax": (lambda t: t.softmax(1), lambda x: x.softmax(1), torch.cat([FAR_ROWS, FAR_ROWS.flip(1)]), 3e-4),
    "log_softmax": (lambda t: t.log_softmax(1), lambda x: x.log_softmax(1), torch.cat([FAR_ROWS, FAR_ROWS.flip(1)]), 5e-4),
}  # fmt: skip


@pytest.mark.parametrize("name", SATURATED)
def test_exponentials_saturate(name):
    function, plain, x, error = SATURATED[name]
    overrides = {"functions.exp_iterations": 7} if name == "few squarings" else None
    assert float((compute(function, x, overrides=overrides) - plain(x)).abs().max()) <= error


def test_softmax_of_nothing_is_nothing():
    for shape, dim in (((3, 0), 1), ((0, 3), 1), ((0, 3), 0)):
        for function in (lambda t, d=dim: t.softmax(d), lambda t, d=dim: t.log_softmax(d)):
            assert compute(function, torch.zeros(shape)).shape == shape


@pytest.mark.parametrize("low", [-49_000.0, -50_000.0, -1e5, -(2.0**30), -(2.0**45)])
def test_what_is_not_positive_counts_as_0_however_negative_it_is(low):
    x = torch.tensor([low, 4.0]).double()
    for function in (lambda t: t.sqrt(), lambda t: t.inv_sqrt()):
        assert float(compute(function, x)[0]) == 0
    assert float(compute(lambda t: t.log(), x)[0]) == pytest.approx(-11.783, abs=1e-3)
    positive = {"functions.reciprocal_all_pos": True}
    assert float(compute(lambda t: t.reciprocal(), x, overrides=positive)[0]) == 0


ROWS = [on_grid(torch.sin(torch.arange(1600).double() * k).reshape(200, 8) * 4) for k in (1.7, 2.9)]


def normalised(t):
    return nn.BatchNorm1d(8).encrypt().train()(t)


COMPOSED = {  # what CrypTen builds from these: function, PyTorch's, arguments, and the error for three and for five parties
    "pos_pow": (lambda t: t.pos_pow(2.5), lambda x: x**2.5, powers(-6, 6, 400), lambda y: 1 + y, (6e-4, 9e-4)),
    "cosine_similarity": (lambda t: t[0].cosine_similarity(t[1], 1), lambda x: torch.cosine_similarity(x[0], x[1], dim=1), torch.stack(ROWS), torch.ones_like, (9e-4, 1.3e-3)),
    "BatchNorm": (normalised, lambda x: torch.nn.BatchNorm1d(8).double()(x).detach(), ROWS[0], torch.ones_like, (1e-4, 4e-4)),
}  # fmt: skip


@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("name", COMPOSED)
def test_errors_stated_of_crypten_s_own_hold(name, size):
    function, plain, x, scale, errors = COMPOSED[name]
    x = on_grid(x)
    expected = plain(x)
    got = same(run_secure(lambda s: function(secret(s, x)).get_plain_text(), committee=range(size)).results)
    assert float(((got - expected).abs() / scale(expected)).max()) <= errors[size == 5]


# As above, at five parties, whose truncations are off by up to 2 units.
OF_FIVE = {
    "reciprocal": (lambda _, y: 5e-5 * (1 + y.abs())), "sqrt": (lambda _, y: 5e-5 * (1 + y)), "softmax": lambda *_: 8e-4, "log_softmax": lambda *_: 1.1e-3,
}  # fmt: skip


@pytest.mark.parametrize("name", OF_FIVE)
def test_stated_errors_hold_for_five_parties(name):
    function, plain, x, _ = STATED[name]
    x = on_grid(x[::8])
    expected = plain(x)
    got = run_secure(lambda s: function(secret(s, x)).get_plain_text(), seed=11, committee=range(5))
    assert bool(((same(got.results) - expected).abs() <= OF_FIVE[name](x, expected)).all())


def test_what_is_not_positive_counts_as_0_within_two_units_for_five_parties():
    def program(session):
        x = secret(session, torch.tensor([0.0, -3.0, -60000.0]))
        return [f.get_plain_text() for f in (x.sqrt(), x.inv_sqrt(), x[:1].reciprocal())]

    for values in run_secure(program, committee=range(5)).results[0]:
        assert float(values.abs().max()) <= 2**-15


def test_what_functions_give_where_they_are_not_defined():
    x = torch.tensor([0.0, -3.0])
    for function in (lambda t: t.sqrt(), lambda t: t.inv_sqrt()):
        assert compute(function, x).tolist() == [0.0, 0.0]
    assert float(compute(lambda t: t.reciprocal(), x)[0]) == 0
    assert compute(lambda t: t.log(), x).tolist() == pytest.approx([-11.783, -11.783], abs=1e-3)


def rounds_of(function, x, overrides=None):
    def program(session):
        with settings.temp_override(overrides or {}):
            t = secret(session, x)
            before = session.traffic.rounds
            function(t)
            return session.traffic.rounds - before

    return run_secure(program).results[0]


@pytest.mark.parametrize(
    ("name", "setting", "x"),
    [
        ("log", {"log_iterations": 3}, 3.0), ("log", {"log_order": 6}, 3.0), ("reciprocal", {"reciprocal_nr_iters": 12}, 3.0),
        ("reciprocal", {"reciprocal_method": "log", "reciprocal_all_pos": True}, 3.0), ("reciprocal", {"reciprocal_initial": 0.3}, 3.0),
        ("sqrt", {"sqrt_nr_iters": 4}, 3.0), ("inv_sqrt", {"sqrt_nr_iters": 2}, 3.0),
        ("cos", {"trig_iterations": 8}, 0.5), ("tanh", {"sigmoid_tanh_method": "chebyshev"}, 0.5), ("sigmoid", {"sigmoid_tanh_method": "chebyshev"}, 0.5),
    ],
)  # fmt: skip
def test_settings_of_crypten_s_iterations_bring_them_back(name, setting, x):
    overrides = {f"functions.{key}": value for key, value in setting.items()}
    value = torch.tensor([x])
    own = getattr(approximations, name)
    method = lambda t: getattr(t, name)()  # noqa: E731
    assert rounds_of(method, value, overrides) == rounds_of(own, value, overrides) != rounds_of(method, value)
    plain = {"inv_sqrt": torch.rsqrt}.get(name) or getattr(torch, name)
    assert float((compute(method, value, overrides=overrides) - plain(value.double())).abs()) < 0.05


def test_square_roots_start_where_they_are_told_to():
    # CrypTen's own fails for a number, and settings hold nothing else.
    started = {"functions.sqrt_nr_initial": 0.5, "functions.sqrt_nr_iters": 3}
    x = torch.tensor([3.0, 5.0])
    assert compute(lambda t: t.inv_sqrt(), x, overrides=started).tolist() == pytest.approx(
        [3**-0.5, 5**-0.5], abs=5e-3
    )
    assert compute(lambda t: t.sqrt(), x, overrides=started).tolist() == pytest.approx(
        [3**0.5, 5**0.5], abs=2e-2
    )


def test_settings_that_steer_our_own():
    x = torch.tensor([1.5])
    exp = lambda t: t.exp()  # noqa: E731
    assert rounds_of(exp, x) - rounds_of(exp, x, {"functions.exp_iterations": 6}) == 2 * rounds_of(
        lambda t: t.square(), x
    )
    few = {"functions.erf_iterations": 2}
    assert float((compute(lambda t: t.erf(), x, overrides=few) - torch.erf(x.double())).abs()) > 5e-3
    positive = {"functions.reciprocal_all_pos": True}
    assert rounds_of(lambda t: t.reciprocal(), x, positive) < rounds_of(lambda t: t.reciprocal(), x)
    for name in ("sigmoid_tanh_method", "max_method"):
        with pytest.raises(ValueError, match="no such"):
            compute(lambda t: t.softmax(0).tanh(), x.expand(2), overrides={f"functions.{name}": "no such"})


COSTS = {  # how many comparisons, and how many times the rounds of a product, at most
    "exp": (1, 10), "log": (1, 5), "reciprocal": (2, 8), "sqrt": (1, 6), "inv_sqrt": (1, 6), "sigmoid": (1, 16), "tanh": (1, 16), "erf": (1, 7), "cossin": (0, 11),
}  # fmt: skip


@pytest.mark.parametrize("name", COSTS)
def test_stated_rounds_hold(name):
    x = torch.tensor([0.5, 1.5])
    comparisons, products = COSTS[name]
    # A ReLU is no cheaper than the comparison that it contains; a product no cheaper than a truncation.
    stated = comparisons * max(
        rounds_of(lambda t: t.relu(), x), rounds_of(lambda t: t < 0, x)
    ) + products * rounds_of(lambda t: t * t, x)
    assert rounds_of(lambda t: getattr(t, name)(), x) <= stated


def test_rounds_of_softmax():
    x = torch.tensor([[0.5, 1.5, -2.0]])
    product, comparison = rounds_of(lambda t: t * t, x), rounds_of(lambda t: t < 0, x)
    stated = (
        rounds_of(lambda t: t.max(), x) + rounds_of(lambda t: t.relu(), x) + comparison + (10 + 7) * product
    )
    assert rounds_of(lambda t: t.softmax(1), x) <= stated
    assert rounds_of(lambda t: t.log_softmax(1), x) <= stated - 2 * product


TABLE = on_grid(wave(3, 7, 2, scale=5.0))
CASES = list(
    itertools.product(
        ("pairwise", "log_reduction", "double_log_reduction", "accelerated_cascade"), (0, 1, -1)
    )
)


@pytest.mark.parametrize(("method", "dim"), CASES)
def test_maxima_and_where_they_are(method, dim):
    def program(session):
        t = secret(session, TABLE)
        with settings.temp_override({"functions.max_method": method}):
            results = [
                *t.max(dim),
                *t.max(dim, keepdim=True, one_hot=False),
                *t.min(dim),
                *t.min(dim=dim, keepdim=True, one_hot=False),
            ]
            results += [
                t.argmax(dim),
                t.argmin(dim, keepdim=True, one_hot=False),
                t.max(),
                t.min(),
                t.argmax(),
                t.argmin(one_hot=False),
            ]
        return [r.get_plain_text() for r in results]

    size = TABLE.shape[dim]
    one_hot = lambda index: torch.nn.functional.one_hot(index, size).movedim(-1, dim).double()  # noqa: E731
    high, low = TABLE.max(dim), TABLE.min(dim)
    everywhere = torch.zeros(TABLE.numel()).double()
    everywhere[TABLE.argmax()] = 1
    expected = [
        high.values, one_hot(high.indices), high.values.unsqueeze(dim), high.indices.unsqueeze(dim).double(),
        low.values, one_hot(low.indices), low.values.unsqueeze(dim), low.indices.unsqueeze(dim).double(),
        one_hot(high.indices), low.indices.unsqueeze(dim).double(), TABLE.max(), TABLE.min(), everywhere.reshape(TABLE.shape), TABLE.argmin().double(),
    ]  # fmt: skip
    for got, true in zip(run_secure(program).results[1], expected, strict=True):
        assert torch.equal(got, true)


def test_maxima_of_one_value_and_of_none():
    def program(session):
        scalar, one = secret(session, torch.tensor(2.5)), secret(session, torch.tensor([[4.0], [-1.0]]))
        values = [
            scalar.max(),
            scalar.argmax(),
            scalar.argmax(one_hot=False),
            *scalar.max(0),
            *one.max(1),
            one.max(1, one_hot=False)[1],
        ]
        with pytest.raises(ValueError, match="no values"):
            secret(session, torch.zeros(0, 3)).max(0)
        assert secret(session, torch.zeros(0, 3)).max(1)[0].size() == (0,)
        return [v.get_plain_text().tolist() for v in values]

    assert run_secure(program).results[0] == [
        2.5,
        1.0,
        0.0,
        2.5,
        1.0,
        [4.0, -1.0],
        [[1.0], [1.0]],
        [0.0, 0.0],
    ]


def test_sampling():
    def program(session):
        x = secret(session, torch.tensor([0.0, 3.0, 1.0, 0.0]).expand(400, 4))
        sample, index = x.weighted_sample(1)
        normal = type(x).randn((2001,))
        bits = secret(session, torch.full((2000,), 0.25)).bernoulli()
        return [t.get_plain_text() for t in (sample, index, normal, bits)]

    sample, index, normal, bits = run_secure(program).results[0]
    assert torch.equal(index.sum(1), torch.ones(400).double())
    assert torch.equal(sample, 3 * index[:, 1] + index[:, 2])
    assert 260 < float(index[:, 1].sum()) < 340  # 300 expected, standard deviation 9
    assert abs(float(normal.mean())) < 0.1
    assert 0.9 < float(normal.std()) < 1.1
    assert 400 < float(bits.sum()) < 600
