"""CrypTen's functions, modules and autograd on replicated shares, against plain PyTorch."""

# ruff: noqa: ARG005 - the functions of a table have one signature

import copy

import pytest
import torch

from mpc_party.secure import ReplicatedShares, SecureError, constant
from mpc_party.secure.tensors.crypten_compat import cat, cryptensor, nn, no_grad, optim, stack
from mpc_party.secure.tensors.tensor import ReplicatedTensor
from tests.support.secure_parties import run_secure, same


def secret(session, values, src=0, **options):
    """`values` of position `src`; the others pass zeros of the same shape."""
    held = values if session.position == src else torch.zeros_like(values)
    return cryptensor(held, cryptensor_type="replicated", src=src, **options)


def compute(function, *inputs):
    return same(
        run_secure(
            lambda s: function(*[secret(s, v, i % 3) for i, v in enumerate(inputs)]).get_plain_text()
        ).results
    )


X = torch.linspace(-3, 3, 24).reshape(4, 6)
Y = torch.linspace(2, -1.5, 24).reshape(4, 6)
EXACT = {
    "add": (lambda x, y: x + y, 2**-15), "subtract": (lambda x, y: x - y, 2**-15),
    "public": (lambda x, y: 1.5 - (2 * x + y - 0.25), 2**-14), "multiply": (lambda x, y: x * y, 2**-13),
    "multiply by a float": (lambda x, y: x * 0.3, 2**-13), "matmul": (lambda x, y: x @ y.t(), 2**-12),
    "public matmul": (lambda x, y: x.matmul(torch.full((6, 2), 0.2).double()), 2**-13),
    "square": (lambda x, y: x.square(), 2**-13), "power": (lambda x, y: x.pow(3), 2**-11), "neg": (lambda x, y: -x, 2**-16),
    "divide by a power of two": (lambda x, y: x / 8, 2**-16), "divide by 1000": (lambda x, y: x / 1000, 2**-15),
    "divide by a float": (lambda x, y: x / -0.7, 2**-13),
    "divide by a tensor": (lambda x, y: x / torch.linspace(0.5, 900, 6), 2**-13),
    "mean": (lambda x, y: x.mean(), 2**-14), "mean dim": (lambda x, y: x.mean(1), 2**-14),
    "sum": (lambda x, y: x.sum(0, keepdim=True), 2**-15),
    "relu": (lambda x, y: x.relu(), 2**-16), "abs": (lambda x, y: x.abs(), 2**-16),
    "hardtanh": (lambda x, y: torch.nn.functional.hardtanh(x) if torch.is_tensor(x) else x.hardtanh(), 2**-16),
    "views": (lambda x, y: x.transpose(0, 1)[1:, None].reshape(-1).view(5, 4)[:, :2], 2**-16),
    "in place": (lambda x, y: x.clone().add_(y).mul_(2), 2**-13),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_functions(name):
    function, tolerance = EXACT[name]
    result = compute(function, X, Y)
    expected = function(X.double(), Y.double())
    assert result.dtype == torch.float64
    assert result.shape == expected.shape
    assert float((result - expected).abs().max()) <= tolerance


COMPARISONS = {
    "<": lambda x, y: x < y, ">": lambda x, y: x > y, "<=": lambda x, y: x <= y, ">=": lambda x, y: x >= y,
    "==": lambda x, y: x == y, "!=": lambda x, y: x != y, "< public": lambda x, y: x < 0.5,
    ">= tensor": lambda x, y: x >= torch.linspace(-1, 1, 6).double(),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons_are_exact(name):
    x = torch.arange(-12, 12).reshape(4, 6) / 4.0
    y = torch.full((4, 6), 0.25)
    assert torch.equal(compute(COMPARISONS[name], x, y), COMPARISONS[name](x.double(), y.double()).double())


def test_largest_and_smallest():
    x = torch.tensor([[3.0, -1.0, 2.5, 3.5], [-4.0, -2.0, -8.0, -3.0], [0.0, 0.5, 0.25, -0.5]])

    def program(session):
        t = secret(session, x)
        values, one_hot = t.max(dim=1)
        lowest, index = t.min(dim=1, one_hot=False)
        plain = [
            v.get_plain_text() for v in (values, one_hot, lowest, index, t.max(), t.argmax(one_hot=False))
        ]
        chosen = t.where(t > 0.0, -t)
        return [*plain, chosen.get_plain_text()]

    values, one_hot, lowest, index, highest, place, chosen = run_secure(program).results[1]
    assert torch.equal(values, x.max(1).values.double())
    assert torch.equal(one_hot, torch.nn.functional.one_hot(x.argmax(1), 4).double())
    assert torch.equal(lowest, x.min(1).values.double())
    assert torch.equal(index, x.argmin(1).double())
    assert float(highest) == 3.5
    assert float(place) == 3
    assert torch.equal(chosen, x.abs().double())


def test_ties_are_broken_at_random_and_once():
    def program(session):
        return secret(session, torch.ones(40, 3)).argmax(dim=1).get_plain_text()

    one_hot = same(run_secure(program).results)
    assert torch.equal(one_hot.sum(1), torch.ones(40).double())
    assert (one_hot.sum(0) > 4).all()


@pytest.mark.parametrize(
    ("function", "tolerance"),
    [
        (lambda x: x.exp(), 0.017), (lambda x: x.sigmoid(), 2.5e-4), (lambda x: x.tanh(), 4e-4),
        (lambda x: x.softmax(-1), 3e-4),
    ],
    ids=["exp", "sigmoid", "tanh", "softmax"],
)  # fmt: skip
def test_approximations_of_the_library(function, tolerance):
    # As their docstrings state; 8e-4 relatively for exp, and e^3 is the largest.
    assert float((compute(function, X) - function(X.double())).abs().max()) < tolerance


def test_reciprocals_and_roots():
    x = torch.linspace(0.5, 8, 20)
    assert float((compute(lambda t: t.reciprocal(), x) - 1 / x.double()).abs().max()) < 1e-3
    assert float((compute(lambda t: t.sqrt(), x) - x.double().sqrt()).abs().max()) < 0.02
    assert float((compute(lambda t: t.log(), x) - x.double().log()).abs().max()) < 0.05


def test_joins():
    assert torch.equal(
        compute(lambda x, y: cat([x, y], dim=1), X.round(), Y.round()),
        torch.cat([X.round(), Y.round()], 1).double(),
    )
    assert torch.equal(
        compute(lambda x, y: stack([x, y]), X.round(), Y.round()),
        torch.stack([X.round(), Y.round()]).double(),
    )


@pytest.mark.parametrize("public", [False, True])
def test_convolution(public):
    x = torch.linspace(-1, 1, 2 * 3 * 5 * 5).reshape(2, 3, 5, 5)
    k = torch.linspace(0.5, -0.5, 4 * 3 * 3 * 3).reshape(4, 3, 3, 3)
    options = {"stride": 2, "padding": 1}
    if public:
        result = compute(lambda t: t.conv2d(k, **options), x)
    else:
        result = compute(lambda t, kernel: t.conv2d(kernel, **options), x, k)
    assert float((result - torch.conv2d(x.double(), k.double(), **options)).abs().max()) < 2**-10
    pooled = compute(lambda t: t.avg_pool2d(2), x)
    assert float((pooled - torch.nn.functional.avg_pool2d(x.double(), 2)).abs().max()) < 2**-13


class Squares(nn.Module):
    """The activation of the design's polynomial network."""

    def forward(self, x):
        return x.square()


def parameters():
    generator = torch.Generator().manual_seed(5)
    shapes = [(64, 8), (64,), (64, 64), (64,), (1, 64), (1,)]
    return [torch.empty(s).uniform_(-0.3, 0.3, generator=generator) for s in shapes]


def network(activation, src=0):
    model = nn.Sequential(nn.Linear(8, 64), activation(), nn.Linear(64, 64), activation(), nn.Linear(64, 1))
    with torch.no_grad():
        for parameter, values in zip(model.parameters(), parameters(), strict=True):
            parameter.copy_(values)
    return model.encrypt(src=src)


def reference(activation, x):
    w1, b1, w2, b2, w3, b3 = [p.double() for p in parameters()]
    return activation(activation(x @ w1.t() + b1) @ w2.t() + b2) @ w3.t() + b3


INPUTS = torch.linspace(-2, 2, 32 * 8).reshape(32, 8).sin()


@pytest.mark.parametrize(
    ("activation", "plain", "tolerance"),
    [(nn.ReLU, torch.relu, 2**-10), (Squares, torch.square, 2**-10)],
    ids=["relu", "squares"],
)
@pytest.mark.parametrize("training", [False, True])
def test_networks(activation, plain, tolerance, training):
    def program(session):
        model = network(activation, src=1)
        model.train(training)
        x = secret(session, INPUTS, src=2)

        def rounds(function):
            before = session.traffic.rounds
            function()
            return session.traffic.rounds - before

        output = []
        whole = rounds(lambda: output.append(model(x).get_plain_text()))
        parts = 3 * rounds(lambda: x.matmul(x.t())) + rounds(x.get_plain_text)
        if activation is Squares:
            parts += 2 * rounds(x.square)
        elif training:  # autograd keeps the mask: a comparison, then a product with a bit
            parts += 2 * rounds(lambda: x.mul(x.gt(0.0)))
        else:
            parts += 2 * rounds(x.relu)
        return output[0], whole, parts

    outcome = run_secure(program)
    output, whole, parts = outcome.results[0]
    assert float((output - reference(plain, INPUTS.double())).abs().max()) < tolerance
    assert whole == parts


def test_gradients_and_a_step_of_training():
    target = torch.linspace(-1, 1, 32).reshape(32, 1)

    def program(session):
        model = network(nn.ReLU)
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        x, y = secret(session, INPUTS, src=1), secret(session, target, src=2)
        losses, gradients = [], None
        for _ in range(3):
            loss = nn.MSELoss()(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            if gradients is None:
                with no_grad():
                    gradients = [p.grad.get_plain_text() for p in model.parameters()]
            optimizer.step()
            losses.append(float(loss.get_plain_text()))
        return losses, gradients

    losses, gradients = run_secure(program).results[0]
    weights = [p.double().requires_grad_() for p in parameters()]
    expected = []
    for step in range(3):
        w1, b1, w2, b2, w3, b3 = weights
        out = torch.relu(torch.relu(INPUTS.double() @ w1.t() + b1) @ w2.t() + b2) @ w3.t() + b3
        loss = torch.nn.functional.mse_loss(out, target.double())
        grads = torch.autograd.grad(loss, weights)
        if step == 0:
            assert max(float((g - e).abs().max()) for g, e in zip(gradients, grads, strict=True)) < 2**-10
        weights = [(w - 0.1 * g).detach().requires_grad_() for w, g in zip(weights, grads, strict=True)]
        expected.append(float(loss.detach()))
    assert losses == pytest.approx(expected, abs=2**-10)
    assert losses[2] < losses[0]


def test_models_are_decrypted_and_take_weights_from_shares():
    def program(session):
        model = network(nn.ReLU)
        model._modules["4"].set_parameter_from_shares("bias", constant(torch.tensor([2.5]), 16))
        model.decrypt()
        return list(model.parameters())

    values = run_secure(program).results[2]
    for value, expected in zip(values[:-1], parameters()[:-1], strict=True):
        assert float((value.detach() - expected).abs().max()) <= 2**-17
    assert values[-1].tolist() == [2.5]


def test_only_the_source_gives_values():
    def program(session):
        held = torch.tensor([1.5, 2.5]) if session.position == 1 else None
        by_size = ReplicatedTensor(held, src=1, size=(2,))
        public = ReplicatedTensor(torch.tensor([3.0]), src=None)
        for arguments in ({"tensor": None}, {"tensor": None, "src": None}):
            with pytest.raises(ValueError, match=r"give its size|needs its values"):
                ReplicatedTensor(**arguments)
        return (
            by_size.get_plain_text(),
            public.get_plain_text(),
            by_size.get_plain_text(dst=0),
            by_size.reveal(),
        )

    zero, one, _ = run_secure(program).results
    assert zero[0].tolist() == one[0].tolist() == [1.5, 2.5]
    assert zero[1].tolist() == [3.0]
    assert zero[2].tolist() == [1.5, 2.5]
    assert one[2] is None
    assert one[3].tolist() == [98304, 163840]


def test_gradients_are_wanted_as_in_pytorch():
    def program(session):
        parameter = torch.nn.Parameter(torch.ones(2))
        tensors = [
            secret(session, parameter),
            secret(session, torch.ones(2)),
            secret(session, parameter, requires_grad=False),
        ]
        product = tensors[0] * tensors[1]
        return [t.requires_grad for t in (*tensors, product, product.detach())]

    assert run_secure(program).results[0] == [True, False, False, True, False]


def test_a_secret_tensor_hides_and_is_not_serialised():
    def program(session):
        t = secret(session, torch.full((2, 3), 4321.5))
        assert repr(t) == (
            f"ReplicatedTensor(shape=(2, 3), fraction_bits=16, SecureSession(committee=(0, 1, 2), position={session.position}))"
        )
        assert repr(ReplicatedTensor([])) == "ReplicatedTensor()"
        assert str(t) == repr(t)
        with pytest.raises(TypeError, match="not serialised"):
            copy.deepcopy(t)
        with pytest.raises(RuntimeError, match="boolean"):
            bool(t)
        assert repr(t.data) == repr(t)
        with pytest.raises(TypeError):
            t + "4321"
        with pytest.raises(SecureError) as caught:
            secret(session, torch.tensor([1e300, 4321.5]).double(), src=session.position)
        assert "4321" not in str(caught.value)
        assert t.device == torch.device("cpu")
        assert t.to("cpu") is t
        assert isinstance(t.shares, ReplicatedShares)

    run_secure(program)
