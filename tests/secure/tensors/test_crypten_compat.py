"""CrypTen loads, and two threads do not change each other's state."""

import subprocess
import sys
import threading

import pytest

from mpc_party.secure.tensors.crypten_compat import (
    AutogradFunction,
    CrypTensor,
    changed,
    gradient_names,
    no_grad,
    replace_gradient,
    settings,
)


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
    gradients = AutogradFunction.__module__
    del sys.modules[gradients].FUNCTION_REGISTRY["a test's method"]
