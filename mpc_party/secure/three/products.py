"""Words between three parties: sharing, opening, and closing products with their truncation.

Write a = x_0 + x_1 for what position 0 knows of x. The product of x and y is

    z = a_x a_y  +  (x_2 (y_1 + y_2) + x_1 y_2)  +  (x_2 y_0 + x_0 y_2)

where 0 can form the first summand, 1 the second and 2 the third (`Layout.products`). With rho from the seed of 0 and 2:

    0 -> 1, ahead    a_x a_y - rho, so that z = z^1 + z^2, of which 1 knows z^1 and 2, adding rho, knows z^2
    1 -> 2           v^1 - r_1, where v^1 = z^1 / 2^f rounded up, r_1 from the seed of 0 and 1
    2 -> 1           v^2 - r_0, where v^2 = z^2 / 2^f rounded down, r_0 from the seed of 0 and 2

and the new components are r_0, r_1 and v^1 + v^2 - r_0 - r_1. Nothing that 0 sends depends on what anybody sent, and 0
receives nothing: masks are known before values.

Privacy: 1 receives words masked by rho and by r_0, of a seed that it lacks; 2 receives words masked by r_1, likewise.
Truncation of a two-party sharing, each part by itself: Mohassel, Zhang, "SecureML", S&P 2017, theorem 1; z^2 is uniform.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from mpc_party.mesh.exchange import FrameKind
from mpc_party.secure.jit import kernel
from mpc_party.secure.randomness import Purpose, Words
from mpc_party.secure.session import Messages, SecureSession
from mpc_party.secure.steps import Steps


def share_words(
    session: SecureSession,
    pieces: Sequence[tuple[int, tuple[int, ...], Words | None]],
    operation: str = "share",
) -> Steps[list[Words]]:
    """Share private words. One round, a word per element from the owner.

    Components that position 0 knows are masks, whoever owns the value, so that 0 does not have to wait for inputs.
    """
    # Flat, (2, N): to numpy an array without a dimension is a scalar, of whose wrapping it warns.
    arrays: list[Words] = []
    send: list[tuple[int, Words]] = []
    receive: list[tuple[int, Words]] = []
    for owner, shape, value in pieces:
        # The owner draws one component with the party that is to lack the other, which goes to the third:
        drawn, sent, to = _INPUT[owner]
        count = math.prod(shape)
        words = np.zeros((2, count), dtype=np.int64)
        arrays.append(words)
        slots = {component: slot for slot, component in enumerate(session.held)}
        if drawn in slots:
            words[slots[drawn]] = session.words(drawn, Purpose.INPUT_WORDS, (count,))
        if session.position == owner:
            if value is None:
                raise ValueError("the owner gives the words to share")
            np.subtract(value.reshape(-1), words[slots[drawn]], out=words[slots[sent]])
            send.append((to, words[slots[sent]]))
        elif session.position == to:
            receive.append((owner, words[slots[sent]]))
    yield [Messages(session, FrameKind.WORDS, operation, send, receive)]
    return [words.reshape(2, *shape) for words, (_, shape, _) in zip(arrays, pieces, strict=True)]


# By owner: the component drawn from a seed, the component sent, and to whom. The third is zero.
_INPUT = ((0, 1, 1), (1, 2, 2), (0, 2, 1))


def open_words(session: SecureSession, shares: Sequence[Words]) -> Steps[list[Words]]:
    """Open to all. One round, a word per element and party: each sends the component that the next one lacks."""
    missing = [np.empty(words[0].size, dtype=np.int64) for words in shares]
    yield [
        Messages(
            session,
            FrameKind.WORDS,
            "open",
            [(session.next, np.ascontiguousarray(words[0])) for words in shares],
            [(session.previous, words) for words in missing],
        )
    ]
    return [_opened(words, other) for words, other in zip(shares, missing, strict=True)]


def open_words_to(
    session: SecureSession, position: int, shares: Sequence[Words]
) -> Steps[list[Words] | None]:
    """Open to one party. One round, a word per element from its predecessor."""
    missing = [np.empty(words[0].size, dtype=np.int64) for words in shares]
    to_it = session.next == position
    send = [(position, np.ascontiguousarray(words[0])) for words in shares] if to_it else []
    receive = [(session.previous, words) for words in missing] if session.position == position else []
    yield [Messages(session, FrameKind.WORDS, "open", send, receive)]
    if session.position != position:
        return None
    return [_opened(words, other) for words, other in zip(shares, missing, strict=True)]


def _opened(words: Words, missing: Words) -> Words:
    missing += words[0].reshape(-1)
    missing += words[1].reshape(-1)
    return missing.reshape(words.shape[1:])


def reshare(session: SecureSession, product: Words, bits: int) -> Steps[Words]:
    """Close a product and divide it by 2^bits. One round: a word per element between 1 and 2; one from 0 ahead."""
    operation = "multiply-truncate" if bits else "multiply"
    summand = yield from _summand(session, operation, product)
    up = int(session.position == 1)
    return (
        yield from closed(
            session,
            operation,
            product.shape,
            lambda mask, message: _close(summand, mask, bits, up, message),
        )
    )


def open_product(session: SecureSession, product: Words, bits: int) -> Steps[Words]:
    """Open a product divided by 2^bits to all, without sharing it first. One round: 1 and 2 send a word each to both others.

    1 sends v^1 - s and 2 sends v^2 + s, where s is from the seed of both, and hides from 0 what v^1 and v^2 are.
    """
    shape, count = product.shape, product.size
    summand = yield from _summand(session, "open-product", product)
    if session.position == 0:
        first, second = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
        yield [Messages(session, FrameKind.WORDS, "open-product", receive=[(1, first), (2, second)])]
        first += second
        return first.reshape(shape)
    mask = session.words(2, Purpose.ZERO_WORDS, (count,))
    if session.position == 2:
        np.negative(mask, out=mask)
    message, other = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    _close(summand, mask, bits, int(session.position == 1), message)
    peer = 3 - session.position
    send = [(0, message), (peer, message)]
    yield [Messages(session, FrameKind.WORDS, "open-product", send, [(peer, other)])]
    other += message
    return other.reshape(shape)


def _summand(session: SecureSession, operation: str, product: Words) -> Steps[Words]:
    """What 1 and 2 know of a product, z^1 and z^2, (N,), after position 0 has dealt its summand."""
    product = np.ascontiguousarray(product).reshape(-1)
    part = yield from dealt(
        session, operation, (product.size,), lambda drawn: np.subtract(product, drawn, out=drawn)
    )
    if session.position:
        part += product
    return part


def dealt(
    session: SecureSession,
    operation: str,
    shape: tuple[int, ...],
    hide: Callable[[Words], object],
    kind: FrameKind = FrameKind.WORDS,
) -> Steps[Words]:
    """Position 0 shares words that it knows between 1 and 2, ahead: 2 draws its part, and 1 is sent the other.

    Args:
        session: the computation.
        operation: for the traffic count.
        shape: of the words.
        hide: at position 0, turns the drawn part in place into what is left of the words without it.
        kind: WORDS, or BITS whose parts add up under exclusive or.

    Returns:
        the part of this position; at 0, what it sent.
    """
    if session.position == 1:
        part = np.empty(shape, dtype=np.int64)
        yield [Messages(session, kind, operation, receive=[(0, part)], ahead=True)]
        return part
    purpose = Purpose.PRODUCT_WORDS if kind is FrameKind.WORDS else Purpose.PRODUCT_BITS
    part = session.words(0, purpose, shape)
    if session.position == 2:
        yield [Messages(session, kind, operation, ahead=True)]
        return part
    hide(part)
    yield [Messages(session, kind, operation, [(1, part)], ahead=True)]
    return part


def closed(
    session: SecureSession, operation: str, shape: tuple[int, ...], form: Callable[[Words, Words], object]
) -> Steps[Words]:
    """From summands of 1 and 2 to shares (2, *shape). One round, in which both exchange them masked; their sum is x_2.

    Args:
        session: the computation.
        operation: for the traffic count.
        shape: of the result.
        form: at 1 and 2, writes the summand less the mask, its first argument, to the second; both (N,).
    """
    if session.position == 0:
        masks = np.empty((2, *shape), dtype=np.int64)
        # Drawn in the step in which the others draw theirs: see `steps`.
        session.seeds.fill(0, Purpose.MASK_WORDS, masks[0, ...])
        session.seeds.fill(1, Purpose.MASK_WORDS, masks[1, ...])
        yield [Messages(session, FrameKind.WORDS, operation)]
        return masks
    slot, peer = (
        session.position % 2,
        3 - session.position,
    )  # x_2 is in slot 1 at position 1, in slot 0 at position 2
    message = np.empty(math.prod(shape), dtype=np.int64)
    words = np.empty((2, message.size), dtype=np.int64)
    # r_1 at position 1, and r_0 at position 2: the component that it shares with position 0
    session.seeds.fill(1 if session.position == 1 else 0, Purpose.MASK_WORDS, words[1 - slot])
    form(words[1 - slot], message)
    yield [Messages(session, FrameKind.WORDS, operation, [(peer, message)], [(peer, words[slot])])]
    words[slot] += message
    return words.reshape(2, *shape)


def rerandomize(session: SecureSession, words: Words) -> Steps[Words]:
    """Fresh shares of the same value, whose components are uniform to who lacks them. One round, a word per element each.

    Unlike a product's, each new component x_i + zero_i is made by position i, which keeps it, and sent to i - 1, with zero_i
    = F(s_i) - F(s_{i+1}): so i cannot send another one without its two holders differing, which a later comparison
    of what they hold can find. Source: Araki et al., CCS 2016, section 2.
    """
    count = words[0].size
    fresh = np.empty((2, count), dtype=np.int64)
    zero = session.words(session.held[0], Purpose.ZERO_WORDS, (count,))
    np.subtract(zero, session.words(session.held[1], Purpose.ZERO_WORDS, (count,)), out=zero)
    np.add(words[0].reshape(-1), zero, out=fresh[0])
    send, receive = [(session.previous, fresh[0])], [(session.next, fresh[1])]
    yield [Messages(session, FrameKind.WORDS, "rerandomize", send, receive)]
    return fresh.reshape(words.shape)


def truncate(session: SecureSession, words: Words, bits: int) -> Steps[Words]:
    """Divide shares by 2^bits. No round: 0 truncates its mask, and shares it anew with a word to 1 ahead.

    x = (a - s) + (b + s) with a public random word s, so that each of the summands is uniform, however a and b came about,
    and another one when a program is run again. 0 rounds its own down, and the other is rounded up by both who know it.
    """
    shape = words.shape
    words = words.reshape(2, -1)
    result = np.empty_like(words, order="C")
    known = session.seeds.public_words(Purpose.TRUNCATION, (words.shape[1],))
    if session.position == 0:
        session.seeds.fill(0, Purpose.TRUNCATED_WORDS, result[0])
        np.subtract(words[0], known, out=known)
        known += words[1]
        known >>= bits
        np.subtract(known, result[0], out=result[1])
        yield [Messages(session, FrameKind.WORDS, "truncate", [(1, result[1])], ahead=True)]
        return result.reshape(shape)
    known += words[session.position % 2]
    known -= 1
    known >>= bits
    known += 1
    if session.position == 1:
        result[1] = known
        yield [Messages(session, FrameKind.WORDS, "truncate", receive=[(0, result[0])], ahead=True)]
    else:
        result[0] = known
        session.seeds.fill(0, Purpose.TRUNCATED_WORDS, result[1])
        yield [Messages(session, FrameKind.WORDS, "truncate", ahead=True)]
    return result.reshape(shape)


@kernel("void(i8[::1], i8[::1], i8, i8, i8[::1])")
def _close(summand: Words, mask: Words, bits: int, up: int, message: Words) -> None:
    """(z / 2^bits) - mask, rounded up where `up` is 1 and else down: floor((z - 1) / 2^f) + 1 is the ceiling.

    Two floors would be one unit too low on average.
    """
    for index in range(summand.size):
        message[index] = ((summand[index] - up) >> bits) + up - mask[index]
