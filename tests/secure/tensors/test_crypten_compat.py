"""CrypTen loads, and two threads do not change each other's state."""

import asyncio
import subprocess
import sys
import threading

import pytest
import torch

from mpc_party.secure.tensors.crypten_compat import (
    AutogradFunction,
    CrypTensor,
    changed,
    forget_gradient,
    gradient_names,
    no_grad,
    replace_gradient,
    settings,
)
from mpc_party.secure.tensors.tensor import ReplicatedTensor
from tests.support.differentials import secret
from tests.support.secure_parties import run_secure


def elsewhere(function):
    seen = []
    thread = threading.Thread(target=lambda: seen.append(function()))
    thread.start()
    thread.join(10)
    return seen[0]


def test_autograd_is_switched_for_one_thread():
    assert CrypTensor.AUTOGRAD_ENABLED
    with no_grad():
        assert not CrypTensor.AUTOGRAD_ENABLED
        assert elsewhere(lambda: CrypTensor.AUTOGRAD_ENABLED)
    assert CrypTensor.AUTOGRAD_ENABLED


def test_settings_are_overridden_for_one_thread():
    assert settings.functions.max_method == "log_reduction"
    with settings.temp_override({"functions.max_method": "pairwise"}):
        assert settings.functions.max_method == "pairwise"
        assert elsewhere(lambda: settings.functions.max_method) == "log_reduction"
    assert settings.functions.max_method == "log_reduction"


def test_the_shares_do_without_crypten():
    # Importing it takes a third of a second, which only programs with neural networks pay.
    code = "import sys, mpc_party.secure, mpc_party.secure.comparison; sys.exit('crypten' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=120, check=False).returncode == 0


def test_changed_settings_are_known():
    assert not changed("log_order", "exp_iterations")
    with settings.temp_override({"functions.log_order": 6}):
        assert changed("exp_iterations", "log_order")
        assert not changed("exp_iterations")
        assert not elsewhere(lambda: changed("log_order"))


def test_gradients_are_replaced_under_their_name():
    class First(AutogradFunction):
        pass

    class Second(First):
        pass

    replace_gradient("a test's method")(First)
    assert replace_gradient("a test's method")(Second) is Second
    assert gradient_names().count("a test's method") == 1
    assert Second.name == "a test's method"
    with pytest.raises(ValueError, match="must extend"):
        replace_gradient("another")(object)
    forget_gradient("a test's method")
    assert "a test's method" not in gradient_names()


def test_validation_mode_opens_nothing():
    # CrypTen's opens operands and results, and logs them, whenever a method is called.
    def program(session):
        x = secret(session, torch.tensor([3.0, -4321.8125]))
        opened = []
        kept = ReplicatedTensor.get_plain_text
        with settings.temp_override({"debug.validation_mode": True}), pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                ReplicatedTensor, "get_plain_text", lambda t, dst=None: (opened.append(t), kept(t, dst))[1]
            )
            before = session.traffic.rounds, session.traffic.bytes_sent
            x.add(1).clone().sum()
            assert (session.traffic.rounds, session.traffic.bytes_sent) == before
            x.relu()
            x.log()
        return len(opened)

    assert run_secure(program).results == [0, 0, 0]


def test_settings_that_are_assigned_are_those_of_one_thread():
    def assign():
        settings.functions.max_method = "pairwise"
        settings["functions.erf_iterations"] = 3
        return settings.functions.max_method, settings.functions.erf_iterations

    assert elsewhere(assign) == ("pairwise", 3)
    assert (settings.functions.max_method, settings.functions.erf_iterations) == ("log_reduction", 8)
    assert elsewhere(lambda: settings.functions.max_method) == "log_reduction"


def test_settings_that_are_assigned_are_those_of_one_task():
    async def assign(method):
        settings.functions.max_method = method
        await asyncio.sleep(0)
        return settings.functions.max_method

    async def both():
        settings.functions.max_method = "accelerated_cascade"
        children = await asyncio.gather(assign("pairwise"), assign("double_log_reduction"))
        return [*children, settings.functions.max_method]

    assert asyncio.run(both()) == ["pairwise", "double_log_reduction", "accelerated_cascade"]
    assert settings.functions.max_method == "log_reduction"
