"""No value and no share in what a secret tensor says of itself: representations, exceptions, warnings, logs."""

# ruff: noqa: ARG005 - the functions of a table have one signature

import logging
import traceback
import warnings

import pytest
import torch

from mpc_party.secure import SecureError
from mpc_party.secure.tensors.crypten_compat import cat, nn, optim, settings, stack
from mpc_party.secure.tensors.pooling import Windows
from mpc_party.secure.tensors.tensor import ReplicatedTensor
from tests.support.differentials import secret
from tests.support.secure_parties import run_secure

VALUE = 4321.8125
MARKS = ("4321", "0x10e1", str(int(VALUE * 2**16)), f"{int(VALUE * 2**16):x}")


def marks_of(*tensors):
    """The value, and this party's words, in decimal and hexadecimal. (One component is zero.)"""
    words = [int(w) for t in tensors for w in t.shares.words.flatten() if w]
    assert words
    return {*MARKS, *(str(w) for w in words), *(f"{w % 2**64:x}" for w in words)}


def says_nothing(text, marks):
    return not any(mark in text.lower() for mark in marks)


def secrets_of(session):
    x = secret(session, torch.full((2, 3), VALUE), requires_grad=True)
    return x, secret(session, torch.full((2, 3), VALUE), src=1)


# One call for each reason that a public method has to refuse: (call of a tensor on the tape and one off it, exception)
REFUSALS = {
    "neither values nor size": (lambda x, t: ReplicatedTensor(None), ValueError),
    "public without values": (lambda x, t: ReplicatedTensor(None, src=None), ValueError),
    "text added": (lambda x, t: t + "text", TypeError), "text multiplied": (lambda x, t: t * "text", TypeError), "None compared": (lambda x, t: t < None, TypeError),
    "shapes that do not fit": (lambda x, t: t + torch.zeros(5), (RuntimeError, ValueError)),
    "matrices that do not fit": (lambda x, t: t @ t, RuntimeError), "convolution that does not fit": (lambda x, t: t.conv2d(t), RuntimeError),
    "division by zero": (lambda x, t: t / 0.0, (SecureError, ZeroDivisionError)), "division by nothing": (lambda x, t: t / float("nan"), SecureError),
    "factor out of range": (lambda x, t: t * 1e30, SecureError), "truth": (lambda x, t: bool(t), RuntimeError), "pickled": (lambda x, t: t.__reduce__(), TypeError),
    "number of rows of none": (lambda x, t: len(t.sum()), TypeError), "dimension": (lambda x, t: t.sum(7), IndexError), "index": (lambda x, t: t[5], IndexError),
    "reshape": (lambda x, t: t.reshape(5), RuntimeError), "mean of nothing": (lambda x, t: t[:0].mean(), ValueError), "max of nothing": (lambda x, t: t[:0].max(), ValueError),
    "max of no dimension": (lambda x, t: t.max(4), IndexError), "real power": (lambda x, t: t.pow(0.5), TypeError), "power of a secret": (lambda x, t: t.pow(t), (TypeError, RuntimeError)),
    "norm below 1": (lambda x, t: t.norm(p=0.5), AssertionError), "nuclear norm": (lambda x, t: t.norm(p="nuc"), NotImplementedError), "no norm": (lambda x, t: t.norm(p="text"), ValueError),
    "clip": (lambda x, t: t.hardtanh(2, 1), ValueError), "padding mode": (lambda x, t: t.pad((1, 1), mode="reflect"), NotImplementedError),
    "padding with a tensor": (lambda x, t: t.pad((1, 1), value=t), ValueError), "pool": (lambda x, t: t.max_pool2d(9), ValueError), "pool's padding": (lambda x, t: t.avg_pool2d(2, padding=2), ValueError),
    "pool's sizes": (lambda x, t: t.avg_pool2d((2, 2, 2)), ValueError), "pool of a row": (lambda x, t: Windows.of(torch.Size((3,)), 2), ValueError),
    "gradient of a pool": (lambda x, t: t._max_pool2d_backward(t, 2), ValueError), "rows added": (lambda x, t: t.index_add(0, torch.zeros(1, 1, dtype=torch.int64), t), ValueError),
    "dropout": (lambda x, t: x.dropout(1.5), ValueError), "no method": (lambda x, t: t.logarithm(), AttributeError), "torch's function": (lambda x, t: torch.relu(t), NotImplementedError),
    "nothing joined": (lambda x, t: ReplicatedTensor.cat([]), (AssertionError, ValueError)), "joined with public": (lambda x, t: cat([t, torch.zeros(2, 3)]), AssertionError),
    "stacked shapes": (lambda x, t: stack([t, t[0]]), RuntimeError), "in place on the tape": (lambda x, t: x.add_(1), RuntimeError), "copy that does not fit": (lambda x, t: t.copy_(t.reshape(6)), ValueError),
    "public data": (lambda x, t: setattr(t, "data", torch.full((2, 3), VALUE)), TypeError), "gradient of many": (lambda x, t: x.mul(2).backward(), RuntimeError),
    "public row on the left": (lambda x, t: torch.zeros(2) @ x, NotImplementedError), "condition with a fraction": (lambda x, t: t.where(t, t), ValueError),
    "secret index": (lambda x, t: t[t], (TypeError, IndexError, RuntimeError)), "secret length": (lambda x, t: range(t), TypeError), "number": (lambda x, t: float(t), TypeError),
    "threads of another size": (lambda x, t: t.split([1, 5]), RuntimeError), "loss of another shape": (lambda x, t: nn.MSELoss()(t, t[0]), AssertionError), "learning rate": (lambda x, t: optim.SGD([x], lr=-1), ValueError),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_say_nothing(name):
    call, kind = REFUSALS[name]

    def program(session):
        x, t = secrets_of(session)
        marks = marks_of(x, t)
        with pytest.raises(kind) as caught:
            call(x, t)
        text = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
        return says_nothing(text, marks)

    assert run_secure(program).results == [True] * 3


def test_a_method_that_is_unknown_to_the_settings_says_nothing():
    def program(session):
        _, t = secrets_of(session)
        with (
            settings.temp_override({"functions.max_method": "none"}),
            pytest.raises(ValueError, match="max_method is 'none'") as caught,
        ):
            t.max(0)
        return says_nothing(str(caught.value), marks_of(t))

    assert all(run_secure(program).results)


ARGUMENTS = [(), (object(),), ("text",), (99,), (0, 99), (torch.zeros(7, 7),), (None, None, None)]
# What opens is not asked, nor what has nothing to do with a tensor.
REVEALING = {"get_plain_text", "reveal", "set_grad_enabled", "register_cryptensor"}


def test_whatever_any_method_is_called_with_it_says_nothing(caplog):
    caplog.set_level(logging.DEBUG)
    names = sorted(n for n in dir(ReplicatedTensor) if not n.startswith("_") and n not in REVEALING)

    def program(session):
        refused, said = 0, []
        for name in names:
            for arguments in ARGUMENTS:
                x, t = secrets_of(session)
                marks = marks_of(x, t)
                for tensor in (x, t):
                    method = getattr(tensor, name)
                    said.append(repr(tensor))
                    if not callable(method):
                        said.append(repr(method))
                        continue
                    try:
                        said.append(repr(method(*arguments)))
                    except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at
                        refused += 1
                        said.append("".join(traceback.format_exception(error)))
                    assert says_nothing("".join(said[-2:]), marks), name
        return refused

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        refused = run_secure(program).results
    assert refused[0] == refused[1] == refused[2] > 300
    assert not any(mark in caplog.text or any(mark in str(w.message) for w in warned) for mark in MARKS)
