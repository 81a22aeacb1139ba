"""Pooling over windows of the last two dimensions: sums and their adjoint, and rows of a window's values.

Geometry is public: everything here is local, and exact in the ring. As torch.nn.functional has it, with `ceil_mode`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from mpc_party.secure.encoding import FixedPoint
from mpc_party.secure.shares import ReplicatedShares

Pair = int | tuple[int, int]
_SENTINEL_BIT = 62  # -2^62 loses to every word above it, and no difference from a smaller one leaves the ring


def _pair(value: Any, name: str) -> tuple[int, int]:  # noqa: ANN401 - an int or two, in whatever sequence
    both = (value, value) if isinstance(value, int | float) else tuple(value)
    if len(both) != 2 or not all(isinstance(v, int) for v in both):
        raise ValueError(f"{name} is {value!r}, not an integer or two")
    return both


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of one pooling: sizes, steps and borders, along height and width."""

    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    ceil_mode: bool

    @staticmethod
    def of(
        shape: torch.Size,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair | None = 0,
        dilation: Pair = 1,
        *,
        ceil_mode: bool = False,
    ) -> "Windows":
        """Check the arguments against the shape of what is pooled.

        Raises:
            ValueError: fewer than two dimensions, arguments that are no pairs, or no window that fits.
        """
        if len(shape) < 2:
            raise ValueError(f"pooling needs two dimensions, not {len(shape)}")
        kernel = _pair(kernel_size, "kernel_size")
        windows = Windows(
            (shape[-2], shape[-1]),
            kernel,
            kernel if stride is None else _pair(stride, "stride"),
            _pair(padding or 0, "padding"),
            _pair(dilation, "dilation"),
            bool(ceil_mode),
        )
        if min(*windows.kernel, *windows.stride, *windows.dilation) < 1 or min(windows.count) < 1:
            raise ValueError("no window fits: check kernel_size, stride, padding and dilation")
        if any(2 * p > k for p, k in zip(windows.padding, kernel, strict=True)):
            raise ValueError("padding is more than half of kernel_size")
        return windows

    def _starts(self, axis: int) -> torch.Tensor:
        """Where the windows begin along one axis, in the tensor's own coordinates."""
        size, padding, stride = self.size[axis], self.padding[axis], self.stride[axis]
        room = size + 2 * padding - self.dilation[axis] * (self.kernel[axis] - 1) - 1
        count = (room + (stride - 1 if self.ceil_mode else 0)) // stride + 1
        if self.ceil_mode and (count - 1) * stride >= size + padding:
            count -= 1  # the last window must begin inside, or in the border before
        return torch.arange(max(count, 0)) * stride - padding

    @property
    def count(self) -> tuple[int, int]:
        """How many windows there are along height and width."""
        return len(self._starts(0)), len(self._starts(1))

    @property
    def places(self) -> torch.Tensor:
        """Which of the height * width values each window holds: (*count, *kernel), height * width for the border."""
        along = []
        for axis in range(2):
            offsets = torch.arange(self.kernel[axis]) * self.dilation[axis]
            along.append(self._starts(axis)[:, None] + offsets)
        rows, columns = along[0][:, None, :, None], along[1][None, :, None, :]
        height, width = self.size
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        return torch.where(inside, rows * width + columns, height * width)

    @property
    def areas(self) -> torch.Tensor:
        """What torch divides a window's sum by: its values with the border's, without those beyond it."""
        lengths = []
        for axis in range(2):
            starts = self._starts(axis)
            end = self.size[axis] + self.padding[axis]
            lengths.append((starts + self.kernel[axis]).clamp(max=end) - starts)
        return lengths[0][:, None] * lengths[1][None, :]

    def sums(self, x: ReplicatedShares) -> ReplicatedShares:
        """The sum of each window: (..., *count)."""
        return _batched(
            x,
            lambda w: torch.nn.functional.avg_pool2d(
                w, self.kernel, self.stride, self.padding, self.ceil_mode, divisor_override=1
            ),
        )

    def rows(self, x: ReplicatedShares) -> ReplicatedShares:
        """The values of each window, the border as -2^62 in ring words: (..., *count, kernel area)."""
        flat = x.reshape(*x.shape[:-2], -1)
        border = flat[..., :1] * 0 + FixedPoint(-(1 << _SENTINEL_BIT), x.fraction_bits)
        padded = ReplicatedShares.cat([flat, border], dim=-1)
        return padded[..., self.places.reshape(*self.count, -1)]

    def spread(self, rows: ReplicatedShares) -> ReplicatedShares:
        """The adjoint of `rows`: what the windows hold, (..., *count, kernel area), added up where it came from."""
        height, width = self.size
        lead = rows.shape[:-3]
        target = rows.reshape(*lead, -1)
        total = target[..., :1] * 0
        total = total.expand(*lead, height * width + 1).clone()
        total.index_add_(len(lead), self.places.reshape(-1), target)
        return total[..., :-1].reshape(*lead, height, width)


def _batched(x: ReplicatedShares, function: Callable[[torch.Tensor], torch.Tensor]) -> ReplicatedShares:
    """Apply to the last two dimensions, with the others as one batch."""
    lead = x.shape[:-2]
    pooled = x.reshape(-1, 1, *x.shape[-2:]).linear(function)
    return pooled.reshape(*lead, *pooled.shape[-2:])
