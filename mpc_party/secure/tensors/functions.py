"""The function library of `ReplicatedTensor` where CrypTen's own is slow, inaccurate or wrong.

Names, arguments and results are CrypTen's. Errors are absolute unless they say otherwise, and a little above the largest
that was measured at 16 fraction bits against float64, on 20,000 values over the range that is stated;
`tests/secure/tensors/test_functions.py` holds them. Outside of its range a result is garbage, not an error, because nobody sees
the argument. What is said of CrypTen's own was measured in the same way, on the same shares, at its own settings.

Committees of five and seven (t > 1) round to up to 2 and 2.5 units, and 0 is not exactly 0 after a truncation. Errors are stated for both
where they differ, and otherwise hold for all.

Of what CrypTen builds from these functions, in units of the value y (t = 1, then t > 1):
    `pos_pow`             6e-4 and 9e-4 times 1 + y, for 2^-6 <= x <= 2^6 and exponents from -0.5 to 2.5
    `cosine_similarity`   9e-4 and 1.3e-3 for norms near 8, 2e-3 near 0.3, 0.2 near 0.03: too small to be of use
    batch normalisation   in training, 1e-4 for deviations from 1 to 10 (4e-4), 1.5e-3 at 0.1, 3e-2 at 0.02; the variance must
                          be below 2^15, so that deviations above 180 give garbage
    BCEWithLogitsLoss     at most 11.78 per element, the logarithm of half a unit, however wrong a logit is; its gradient is right

Guard bits bring the words of products of values near 1 to 2^40, so that the rare wild error of `reduce` has a probability
of about 2^-24 in each: there are ten such products in an exponential. Check the range of what is opened.

CrypTen's settings hold. Where one of those that steer an iteration of CrypTen's differs from what CrypTen ships, that
iteration runs as it is there, with the setting.
"""

from collections.abc import Sequence
from typing import Any, Self

import torch

from mpc_party.secure.arithmetic import reduce
from mpc_party.secure.comparison import less_than_zero, relu
from mpc_party.secure.functions import exponentials, normalising, softmaxes, trigonometry
from mpc_party.secure.shares import ReplicatedShares
from mpc_party.secure.sharing import constant
from mpc_party.secure.tensors.crypten_compat import approximations, changed, settings
from mpc_party.secure.tensors.gradients import clip_interval
from mpc_party.secure.tensors.holder import Holder, operand

_UNIT = 1  # log2 bound of what CrypTen calls `input_in_01`: at most 1, give or take an error


class Functions(Holder):
    """Exponentials, roots, logarithms and the like. All are collective and reveal nothing."""

    def exp(self) -> Self:
        """e^x. CrypTen's limit errs by 12 % at x = 8.

        Error: 8e-4 relative and 4e-5 absolute, whichever is more, for x <= 8, however negative; above, more so the nearer
        products come to the ring's end (x near 10). With `exp_iterations` = d: n = 2^(d-1) takes the place of 128.
        Rounds: one ReLU, and d + 2 times those of `reduce`.
        """
        return self.wrap(exponentials.saturating_exponential(self.shares, squarings=_squarings()))

    def log(self, input_in_01: bool = False) -> Self:  # noqa: FBT001, FBT002 - CrypTen's signature
        """Natural logarithm. CrypTen's errs by 0.06 for 0.004 <= x <= 128, in four times the rounds, and by 1e10 above.

        Args:
            input_in_01: |x| is at most 1 (or 2, by an error): half the work.

        Error: 4e-5 for 2^-16 <= x < 2^15. For x <= 0 the result is log(2^-17) = -11.8, however negative x is; with
        `input_in_01` down to -2 only.
        Rounds: one comparison, and 5 times those of `reduce`. Settings: `log_iterations`, `log_exp_iterations`, `log_order`.
        """
        if changed("log_iterations", "log_exp_iterations", "log_order"):
            return self.adopted(approximations.log(self, input_in_01))
        return self.wrap(normalising.logarithm(self.shares, high=_high(input_in_01), bounded=input_in_01))

    def reciprocal(self, input_in_01: bool = False) -> Self:  # noqa: FBT001, FBT002 - CrypTen's signature
        """1 / x, of any sign. CrypTen's errs by 1 % at |x| = 32, by 25 % at 128 and by 1e13 above.

        Args:
            input_in_01: 0 < x <= 1 (or 2, by an error): half the work.

        Error: 3e-5 (1 + 1/|x|) for 2^-15 <= |x| < 2^15, so 6e-5 where |x| >= 1; 5e-5 in the place of 3e-5 where t > 1. The
        result for 0 is 0, within 2 units where t > 1.
        Rounds: one comparison, and 6 times those of `reduce`; where neither `input_in_01` nor `reciprocal_all_pos` is set,
        another comparison and two more for the sign. Settings: `reciprocal_all_pos`, `reciprocal_method`,
        `reciprocal_nr_iters`, `reciprocal_log_iters`, `reciprocal_initial`.
        """
        if changed("reciprocal_method", "reciprocal_nr_iters", "reciprocal_log_iters", "reciprocal_initial"):
            return self.adopted(approximations.reciprocal(self, input_in_01))
        if input_in_01 or settings.functions.reciprocal_all_pos:
            return self.wrap(
                normalising.reciprocal(self.shares, high=_high(input_in_01), bounded=input_in_01)
            )
        sign = 1 - 2 * less_than_zero(self.shares)
        size = reduce(self.shares * sign)
        return self.closed(normalising.reciprocal(size, bounded=True) * sign)

    def sqrt(self) -> Self:
        """The square root. CrypTen's errs by 3 % at 0.06, by 60 % at 0.004, and diverges above 200.

        Error: 4e-5 (1 + sqrt(x)) for 0 <= x < 2^15, 5e-5 where t > 1; x <= 0 gives 0, within 2 units where t > 1.
        Rounds: one comparison, and 6 times those of `reduce`. Settings: `sqrt_nr_iters`, `sqrt_nr_initial`.
        """
        return self.roots()[0]

    def inv_sqrt(self) -> Self:
        """1 / sqrt(x). CrypTen's errs as its square root.

        Error: 4e-5 (1 + 1/sqrt(x)) for 2^-16 <= x < 2^15, 5e-5 where t > 1; x <= 0 gives 0, within 2 units where t > 1.
        Rounds and settings: as `sqrt`.
        """
        if changed("sqrt_nr_iters", "sqrt_nr_initial"):
            return self.adopted(_newton_inverse_root(self))
        return self.roots()[1]

    def roots(self) -> tuple[Self, Self]:
        """`sqrt` and `inv_sqrt` together, in the rounds of one: backpropagation through one needs the other."""
        if changed("sqrt_nr_iters", "sqrt_nr_initial"):
            inverse = _newton_inverse_root(self)
            return inverse.mul(self), inverse
        first, second = normalising.roots(self.shares)
        return self.wrap(first), self.wrap(second)

    def sigmoid(self) -> Self:
        """1 / (1 + e^-x). CrypTen's errs by 2e-3.

        Error: 2.5e-4 for all |x| < 2^46, at 16 fraction bits.
        Rounds: one comparison (of three values per element), d + 2 times those of `reduce` (`exp`), and 6 times those of `reduce`. Settings: `sigmoid_tanh_method`
        "reciprocal"; "chebyshev" is CrypTen's, for |x| <= 2.
        """
        if settings.functions.sigmoid_tanh_method != "reciprocal":
            return self.adopted(approximations.sigmoid(self))
        return self.wrap(exponentials.logistic(self.shares, squarings=_squarings()))

    def tanh(self) -> Self:
        """Hyperbolic tangent. Error: 4e-4 for |x| < 2^45. Rounds and settings as `sigmoid`; "chebyshev" is for |x| <= 1."""
        if settings.functions.sigmoid_tanh_method != "reciprocal":
            return self.adopted(approximations.tanh(self))
        return self.wrap(exponentials.hyperbolic_tangent(self.shares, squarings=_squarings()))

    def erf(self) -> Self:
        """The error function. CrypTen's Taylor series errs by 0.2 at 2 and by 7e4 at 3, in three times the rounds.

        Error: 1.5e-4 for all x. Rounds: one ReLU and 7 times those of `reduce`. Settings: `erf_iterations`, the degree in x^2.
        """
        return self.wrap(trigonometry.error_function(self.shares, terms=settings.functions.erf_iterations))

    def cossin(self) -> tuple[Self, Self]:
        """Cos x and sin x. CrypTen's err by 0.02 at |x| = 1 and by 0.6 at 32, in three times the rounds.

        Error: 4e-4 for |x| <= 32. Rounds: 11 times those of `reduce`. Settings: `trig_iterations`.
        """
        if changed("trig_iterations"):
            cosine, sine = approximations._eix(self)  # noqa: SLF001 - what CrypTen's `cossin` calls
            return cosine, sine
        first, second = trigonometry.cosine_and_sine(self.shares)
        return self.wrap(first), self.wrap(second)

    def cos(self) -> Self:
        """Cosine: see `cossin`."""
        return self.cossin()[0]

    def sin(self) -> Self:
        """Sine: see `cossin`."""
        return self.cossin()[1]

    def softmax(self, dim: int) -> Self:
        """The powers e^x along `dim`, divided by their sum.

        Error: 3e-4 where t = 1, 8e-4 where t > 1, for all differences below 2^46. Rounds: the largest of n
        (`largest_along`), then a ReLU, d + 2 times those of `reduce` (`exp`), one comparison and 7 times those of `reduce`.
        """
        if self._known(dim):
            return self.wrap(constant(torch.ones(self.shares.shape)))
        return self.wrap(softmaxes.softmax(self.shares, dim, settings.functions.max_method, _squarings()))

    def log_softmax(self, dim: int) -> Self:
        """The logarithm of `softmax`, without its range: x - log of the sum. Error: 5e-4 where t = 1, 1.1e-3 where t > 1.

        Rounds: two `reduce`s less than `softmax`.
        """
        if self._known(dim):
            return self.wrap(constant(torch.zeros(self.shares.shape)))
        return self.wrap(softmaxes.log_softmax(self.shares, dim, settings.functions.max_method, _squarings()))

    def both_softmaxes(self, dim: int) -> tuple[Self, Self]:
        """`softmax` and `log_softmax`, in the rounds of the former."""
        if self._known(dim):
            return self.softmax(dim), self.log_softmax(dim)
        first, second = softmaxes.both(self.shares, dim, settings.functions.max_method, _squarings())
        return self.wrap(first), self.wrap(second)

    def _known(self, dim: int) -> bool:
        """Whether each value is the only one along `dim`, so that all is known; or there is none at all."""
        return self.shares.dim() == 0 or self.shares.size(dim) == 1 or self.shares.numel() == 0

    def mean(self, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Self:  # noqa: FBT001, FBT002 - torch's
        """The mean of all, or along dimensions. Rounds and range as `div`, of the sum.

        Raises:
            ValueError: it would be the mean of nothing.
        """
        total = self.shares.sum(dim, keepdim=keepdim)
        if self.shares.numel() == 0:
            raise ValueError("the mean of no values is not defined")
        sum_of_all: Any = self.wrap(total)
        return self.adopted(sum_of_all.div(self.shares.numel() // total.numel()))

    def var(
        self,
        dim: int | Sequence[int] | None = None,
        unbiased: bool = False,  # noqa: FBT001, FBT002 - CrypTen's
        keepdim: bool = False,  # noqa: FBT001, FBT002 - CrypTen's
    ) -> Self:
        """The variance of all, or along dimensions. As CrypTen has it, `unbiased` divides by n, and else n - 1.

        Rounds: those of `mean`, twice, and that of one `reduce`.
        """
        tensor: Any = self
        mean = tensor.mean() if dim is None else tensor.mean(dim, keepdim=True)
        squares = tensor.sub(mean).square().sum(dim, keepdim=keepdim)
        count = self.shares.numel() // squares.shares.numel()
        return self.adopted(squares.div(max(count if unbiased else count - 1, 1)))

    def pow(self, p: float) -> Self:
        """An integer power of x, by squaring. CrypTen's gives x^6 for p = 5.

        Error: |p| |x|^(|p|-1) units in the last place and more. Rounds: 2 log2(p) times those of `reduce` at most; with
        negative p also those of `reciprocal`.

        Raises:
            TypeError: p is no integer: `pos_pow` is for those.
        """
        if isinstance(p, bool) or not isinstance(p, int | float) or int(p) != p:
            raise TypeError("pow takes an integer exponent; for others use pos_pow, with a positive base")
        power = int(p)
        if power < 0:
            return self.reciprocal().pow(-power)
        if power == 0:
            return self.wrap(constant(torch.ones(self.shares.shape)))
        square, result = self.shares, None
        while True:
            if power & 1:
                result = square if result is None else reduce(result * square)
            power >>= 1
            if not power:
                # The leading bit of `power` was 1; the first power is a copy, not the tensor itself.
                return self.wrap(result.clone() if result is self.shares else result)  # type: ignore[arg-type]
            square = reduce(square.square())

    def polynomial(self, coeffs: Any, func: str = "mul") -> Self:  # noqa: ANN401 - numbers, a tensor, or a secret one
        """c_1 x + c_2 x^2 + ...: without a constant, as CrypTen has it. Differentiable, also by secret coefficients.

        Rounds: 1 + log2 of their number, times those of `reduce`.
        """
        secret = isinstance(coeffs, Holder)
        public: Any = operand(coeffs) if secret else torch.as_tensor(coeffs, dtype=torch.float64)
        if public.dim() != 1 or public.numel() == 0:
            raise ValueError("the coefficients of a polynomial are a list, or of one dimension")
        composed: Any = super()
        return self.adopted(composed.polynomial(coeffs if secret else public, func))

    def prod(self, dim: int | None = None, keepdim: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002 - CrypTen's
        """The product along a dimension, or of all. Rounds: log2(n) times those of `reduce`. Differentiable."""
        tensor: Any = self
        if dim is None:
            return tensor.flatten().prod(dim=0)
        if tensor.dim() == 0 or tensor.size(dim) == 1:
            return (tensor if keepdim or tensor.dim() == 0 else tensor.squeeze(dim)).clone()
        if tensor.size(dim) == 0:
            return tensor.sum(dim, keepdim=keepdim) + 1.0
        while (count := tensor.size(dim)) > 1:
            half = count // 2
            product = tensor.narrow(dim, 0, half).mul(tensor.narrow(dim, half, half))
            odd = [tensor.narrow(dim, 2 * half, 1)] if count % 2 else []
            tensor = type(tensor).cat([product, *odd], dim=dim) if odd else product
        return tensor if keepdim else tensor.squeeze(dim)

    def hardtanh(self, min_value: float = -1, max_value: float = 1, **names: float) -> Self:
        """Clip to an interval, exactly; `min_val` and `max_val`, as PyTorch has them, are taken too. Rounds: one ReLU."""
        bottom, top = clip_interval(min_value, max_value, names)
        low, high = _clip_edges(self.shares, bottom, top)
        return self.closed(low - high + bottom)

    def relu6(self) -> Self:
        """Clip to [0, 6]: see `hardtanh`."""
        return self.hardtanh(0, 6)


def _squarings() -> int:
    return max(int(settings.functions.exp_iterations) - 1, 0)


def _high(in_unit_interval: bool) -> int:  # noqa: FBT001 - CrypTen's flag
    return _UNIT if in_unit_interval else normalising.HIGH


def _newton_inverse_root(x: Any) -> Any:  # noqa: ANN401 - a tensor
    initial = settings.functions.sqrt_nr_initial
    if initial is None:
        return approximations.inv_sqrt(x)
    # CrypTen's own takes a number from the settings and fails to multiply it in place.
    y: Any = float(initial)
    for _ in range(settings.functions.sqrt_nr_iters):
        square = y * y if isinstance(y, float) else y.square()
        y = (3 - x * square) * (y / 2)
    return y


def _clip_edges(x: Any, low: float, high: float) -> tuple[Any, Any]:  # noqa: ANN401 - shares
    first, second = relu(ReplicatedShares.stack([x - low, x - high])).unbind()
    return first, second
