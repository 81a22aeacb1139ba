"""CrypTen 0.4.1, imported in the one place that may: made to load on PyTorch 2.13, and safe with several threads.

*Loading.* Its ONNX converter does `from torch.onnx._internal.registration import registry`, to add two symbolic
functions for the export of PyTorch models. PyTorch 2.13 has no such module any more. We never export to ONNX
(`crypten.nn.from_pytorch` goes through files and pickle), so that an empty stand-in serves.

*Threads.* CrypTen keeps "is autograd on" in a class attribute and its settings in one object, both changed and
restored around calls. Two parties in the threads of one process then switch each other's autograd off for good.
Both become context variables here: each thread or task has its own. Autograd starts on; settings start as CrypTen
ships them in a thread, and as those of its parent in a task.

*Secrecy.* Its setting `debug.validation_mode` opens the operands and the result of each method, to compare them with
PyTorch's. It has no effect here: nothing asks for it.

Never use `crypten.save`, `load` (pickle), `init` (gloo), or its random generators (Mersenne Twister).
"""

import asyncio
import copy
import importlib
import importlib.util
import sys
import threading
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
_settings: ContextVar[tuple[object, Any]] = ContextVar("CrypTen's settings, and whose they are")
_as_shipped: Any = crypten.cfg.config


def _read_autograd(_: object) -> Any:  # noqa: ANN401 - a truth value, for CrypTen
    return _autograd_enabled.get(True)


def _write_autograd(_: object, value: object) -> None:
    _autograd_enabled.set(value)


def _owner() -> object:
    """The task that runs, or the thread outside of tasks."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    return task or threading.current_thread()


def _read_settings(_: object) -> Any:  # noqa: ANN401 - CrypTen's settings have no types
    owner, config = _settings.get((None, _as_shipped))
    if owner is not (own := _owner()):
        # Settings are also assigned one by one, in place: a task that inherits them, or a new thread, copies them first.
        config = copy.deepcopy(config)
        _settings.set((own, config))
    return config


def _write_settings(_: object, value: object) -> None:
    _settings.set((_owner(), value))


def _give_each_context_its_own_state() -> None:
    del CrypTensor.AUTOGRAD_ENABLED
    # On the metaclass, because CrypTen sets it on the class.
    type(CrypTensor).AUTOGRAD_ENABLED = property(_read_autograd, _write_autograd)
    type(crypten.cfg).config = property(_read_settings, _write_settings)


def _leave_out_validation() -> None:
    # What CrypTen's decorator `register_validation` has wrapped.
    CrypTensor.__getattribute__ = CrypTensor.__getattribute__.__wrapped__


_give_each_context_its_own_state()
_leave_out_validation()


def replace_gradient(name: str) -> Callable[[T], T]:
    """A class decorator: autograd uses this `AutogradFunction` for the method of that name.

    CrypTen's registry refuses a second function of a name; some of its own are wrong, or write to the shares.
    """

    def replace(function: T) -> T:
        crypten.gradients.FUNCTION_REGISTRY.pop(name, None)
        crypten.gradients.register_function(name)(function)
        return function

    return replace


def forget_gradient(name: str) -> None:
    """Autograd does without a function of that name from now on."""
    del crypten.gradients.FUNCTION_REGISTRY[name]


def gradient_names() -> list[str]:
    """The methods that CrypTen's autograd knows."""
    return list(crypten.gradients.FUNCTION_REGISTRY)


_shipped: Any = OmegaConf.to_container(_as_shipped)


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
    "forget_gradient",
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
