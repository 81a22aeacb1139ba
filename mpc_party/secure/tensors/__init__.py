"""CrypTen on replicated shares: its tensors, layers, losses, optimisers and autograd, with our arithmetic underneath.

`ReplicatedTensor` is a CrypTensor, registered as "replicated" and made CrypTen's default. Importing this package imports
CrypTen, which `crypten_compat` makes load on today's PyTorch, and replaces the gradients that CrypTen lacks or has wrong.
Results of multiplications are brought back to the session's fraction bits at once, as CrypTen has it; programs that want
fewer rounds use the shares underneath (`.shares`) and the functions of `mpc_party.secure`.
"""

from mpc_party.secure.tensors.crypten_compat import cat, nn, no_grad, optim, stack, where
from mpc_party.secure.tensors.tensor import ReplicatedTensor

__all__ = ["ReplicatedTensor", "cat", "nn", "no_grad", "optim", "stack", "where"]
