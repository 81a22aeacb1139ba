"""CrypTen 0.4.1, imported in the one place that may: made to load on PyTorch 2.13, and safe with several threads.

*Loading.* Its ONNX converter does `from torch.onnx._internal.registration import registry`, to add two symbolic
functions for the export of PyTorch models. PyTorch 2.13 has no such module any more. We never export to ONNX
(`crypten.nn.from_pytorch` goes through files and pickle), so that an empty stand-in serves.

*Threads.* CrypTen keeps "is autograd on" in a class attribute and its settings in one object, both changed and
restored around calls. Two parties in the threads of one process then switch each other's autograd off for good.
Both become context variables here: each thread or task has its own, starting from the defaults.

Never use `crypten.save`, `load` (pickle), `init` (gloo), or its random generators (Mersenne Twister).
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from contextvars import ContextVar
from types import ModuleType
from typing import Any, TypeVar

from omegaconf import OmegaConf

T = TypeVar("T")

_REGISTRATION = "torch.onnx._internal.registration"

if importlib.util.find_spec(_REGISTRATION) is None:
    _stand_in = ModuleType(
        _REGISTRATION, "Stand-in for a module that PyTorch has removed: see crypten_compat."
    )
    _stand_in.__dict__["registry"] = None
    sys.modules[_REGISTRATION] = _stand_in

import crypten  # noqa: E402, TID251 - the one import of CrypTen in the project, after its missing module is in place

CrypTensor: Any = crypten.CrypTensor
nn = crypten.nn
optim = importlib.import_module("crypten.optim")
AutogradFunction: Any = crypten.gradients.AutogradFunction
approximations: Any = importlib.import_module("crypten.common.functions.approximations")

_autograd_enabled: ContextVar[Any] = ContextVar("CrypTen's autograd")
_settings: ContextVar[Any] = ContextVar("CrypTen's settings")


def _context_property(variable: ContextVar[Any], *, default: object) -> property:
    def read(_: object) -> Any:  # noqa: ANN401 - what CrypTen keeps there
        return variable.get(default)

    def write(_: object, value: object) -> None:
        variable.set(value)

    return property(read, write)


def _give_each_context_its_own_state() -> None:
    del CrypTensor.AUTOGRAD_ENABLED
    # On the metaclass, because CrypTen sets it on the class.
    type(CrypTensor).AUTOGRAD_ENABLED = _context_property(_autograd_enabled, default=True)

    type(crypten.cfg).config = _context_property(_settings, default=crypten.cfg.config)


_give_each_context_its_own_state()


def replace_gradient(name: str) -> Callable[[T], T]:
    """A class decorator: autograd uses this `AutogradFunction` for the method of that name.

    CrypTen's registry refuses a second function of a name; some of its own are wrong, or write to the shares.
    """

    def replace(function: T) -> T:
        crypten.gradients.FUNCTION_REGISTRY.pop(name, None)
        crypten.gradients.register_function(name)(function)
        return function

    return replace


def gradient_names() -> list[str]:
    """The methods that CrypTen's autograd knows."""
    return list(crypten.gradients.FUNCTION_REGISTRY)


_shipped: Any = OmegaConf.to_container(crypten.cfg.config)


def changed(*names: str) -> bool:
    """Whether one of these settings of `settings.functions` differs from what CrypTen ships."""
    return any(settings.functions[name] != _shipped["functions"][name] for name in names)


cat = crypten.cat
stack = crypten.stack
cryptensor = crypten.cryptensor
no_grad = crypten.no_grad
register_cryptensor = crypten.register_cryptensor
set_default_cryptensor_type = crypten.set_default_cryptensor_type
settings = crypten.cfg

where = crypten.where

__all__ = [
    "AutogradFunction",
    "CrypTensor",
    "approximations",
    "cat",
    "changed",
    "cryptensor",
    "gradient_names",
    "nn",
    "no_grad",
    "optim",
    "register_cryptensor",
    "replace_gradient",
    "set_default_cryptensor_type",
    "settings",
    "stack",
    "where",
]
