"""x."""

from mpc_party.secure import reduce_many, reduce


def hedge_adjustment(delta, density, model):
    p, q = reduce_many([density * delta, model[2] * delta])
    return reduce(density * model[0] + p * model[1] + p * q)
