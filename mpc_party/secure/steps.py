"""Collective operations as generators of communication rounds, so that independent ones can share their rounds.

A protocol is written once, as a generator that yields what it sends and awaits in each round (`Messages`) and
continues when the words have arrived. Called directly it runs alone; several of them given to `together` run
in lockstep, and what they send to one peer in one round travels in one frame.

One rule keeps the parties' streams in step, whatever runs in lockstep with what: **all holders of a seed draw from it in the
same step of a protocol**, between the same two of its `yield`s. Steps come in the same order at all parties, so that draws do.
"""

import functools
from collections.abc import Callable, Generator, Sequence
from typing import Any, Generic, ParamSpec, TypeVar

from mpc_party.secure.errors import OutOfRangeError
from mpc_party.secure.session import Messages, SecureSession

P = ParamSpec("P")
T = TypeVar("T")

Steps = Generator[Sequence[Messages], None, T]


def run(steps: Steps[T]) -> T:
    """Run one protocol to its end, one exchange for each of its rounds."""
    session: SecureSession | None = None
    try:
        batch = next(steps)
        while True:
            session = batch[0].session
            session.exchange(batch)
            batch = steps.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    except OutOfRangeError:
        raise  # what is opened is the same for all, who stop at the same step: they may try again
    except BaseException:
        if session is not None:
            session.give_up()  # in the middle of a protocol: the parties' streams may no longer be in step
        raise


def merged(protocols: Sequence[Steps[T]]) -> Steps[list[T]]:
    """One protocol that runs all of `protocols` in lockstep, in as many rounds as the longest of them has.

    What is dealt ahead (`Messages.ahead`) is no round: those steps of all protocols come first, together, so that a
    protocol with such a step and one without it still share their rounds.
    """
    results: dict[int, T] = {}
    waiting: dict[int, Sequence[Messages]] = {}
    runnable = dict(enumerate(protocols))
    active = dict(runnable)
    while active:
        for index, steps in runnable.items():
            try:
                waiting[index] = steps.send(None)
            except StopIteration as done:
                results[index] = done.value
                del active[index]
        dealt = [index for index, batch in waiting.items() if batch and batch[0].ahead]
        chosen = dealt or list(waiting)
        runnable = {index: active[index] for index in chosen}
        batch = [messages for index in chosen for messages in waiting.pop(index)]
        if batch:
            yield batch
    return [results[index] for index in range(len(protocols))]


def together(*protocols: Steps[Any]) -> list[Any]:
    """Run independent operations in shared rounds.

    `product, positive = together(multiply.steps(x, y), relu.steps(z))`. Collective. The rounds are those of the longest operation; bytes are the sum of all.

    Returns:
        the results, in the order of the arguments.
    """
    return run(merged(protocols))


class Collective(Generic[P, T]):
    """An operation that all parties call with arguments of the same shapes.

    `operation(...)` runs it; `operation.steps(...)` prepares it for `together`, or for `yield from` in another one.
    """

    def __init__(self, protocol: Callable[P, Steps[T]]) -> None:
        self.steps = protocol
        functools.update_wrapper(self, protocol)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the operation alone."""
        return run(self.steps(*args, **kwargs))


def collective(protocol: Callable[P, Steps[T]]) -> Collective[P, T]:
    """Turn a generator of rounds into an operation: see `Collective`."""
    return Collective(protocol)
