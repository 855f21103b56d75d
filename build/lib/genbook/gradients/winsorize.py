"""Winsorised means of products u_i v_j over examples, with a selection network in registers.

For every coordinate the c + 1 largest and the c + 1 smallest values seen so far are kept sorted. A new value passes
through the largest by one maximum and one minimum a place; what falls off passes through the smallest in the same way;
what falls off there is neither, and is added up. So no value is subtracted again, and nothing is sorted. The
coordinates of one block go through together, one vector instruction a step; c is a constant of the compiled code, so
that the lists stay in registers while several examples pass.
"""

from functools import lru_cache

import numpy as np

BLOCK = 64
"""Coordinates that go through the network together."""
_TOGETHER = 4


@lru_cache
def kernel(c: int):
    """The compiled mean for c clipped values a side.

    Called with u [m, P], v [m, Q'] with Q' a multiple of `BLOCK`, and out [P, Q'], it writes the mean over i of
    u_ip v_iq after the c largest values of each (p, q) have been lowered to the next one, and the c smallest raised.
    Needs m ≥ 2c + 2. Examples with u_ip = 0, such as those for which a ReLU is off, are not multiplied out.
    """
    from numba import njit  # half a second to import, for those who winsorise

    places = c + 1

    @njit(fastmath={"nnan", "nsz", "contract", "arcp"}, nogil=True, error_model="numpy", cache=True)
    def mean(u, v, out):
        m, outer = u.shape
        high = np.empty(places * BLOCK, u.dtype)
        low = np.empty(places * BLOCK, u.dtype)
        rest = np.empty(BLOCK, u.dtype)
        active = np.empty(m, np.int64)
        infinity = u.dtype.type(np.inf)
        nothing = u.dtype.type(0)
        for p in range(outer):
            count = 0
            for i in range(m):
                if u[i, p] != 0:
                    active[count] = i
                    count += 1
            zeros = m - count
            # As many examples as fill the places, and what the loop over several together would leave over.
            careful = min(count, max(0, 2 * places - zeros))
            careful += (count - careful) % _TOGETHER
            for start in range(0, v.shape[1], BLOCK):
                # The zeros come first: they fill the places of the largest, then those of the smallest.
                for s in range(places):
                    top = nothing if s < zeros else -infinity
                    bottom = nothing if s < zeros - places else infinity
                    for j in range(BLOCK):
                        high[s * BLOCK + j] = top
                        low[s * BLOCK + j] = bottom
                for j in range(BLOCK):
                    rest[j] = nothing
                for n in range(careful):
                    i = active[n]
                    factor = u[i, p]
                    row = v[i, start : start + BLOCK]
                    for j in range(BLOCK):
                        x = factor * row[j]
                        for s in range(places):
                            t = high[s * BLOCK + j]
                            high[s * BLOCK + j] = t if t > x else x
                            x = x if t > x else t
                        x = infinity if x == -infinity else x
                        for s in range(places):
                            t = low[s * BLOCK + j]
                            low[s * BLOCK + j] = t if t < x else x
                            x = x if t < x else t
                        rest[j] += nothing if x == infinity else x
                for n in range(careful, count, _TOGETHER):
                    i0, i1, i2, i3 = active[n], active[n + 1], active[n + 2], active[n + 3]
                    f0, f1, f2, f3 = u[i0, p], u[i1, p], u[i2, p], u[i3, p]
                    r0, r1 = v[i0, start : start + BLOCK], v[i1, start : start + BLOCK]
                    r2, r3 = v[i2, start : start + BLOCK], v[i3, start : start + BLOCK]
                    for j in range(BLOCK):
                        x0, x1, x2, x3 = f0 * r0[j], f1 * r1[j], f2 * r2[j], f3 * r3[j]
                        for s in range(places):
                            t = high[s * BLOCK + j]
                            t, x0 = (t, x0) if t > x0 else (x0, t)
                            t, x1 = (t, x1) if t > x1 else (x1, t)
                            t, x2 = (t, x2) if t > x2 else (x2, t)
                            t, x3 = (t, x3) if t > x3 else (x3, t)
                            high[s * BLOCK + j] = t
                        for s in range(places):
                            t = low[s * BLOCK + j]
                            t, x0 = (t, x0) if t < x0 else (x0, t)
                            t, x1 = (t, x1) if t < x1 else (x1, t)
                            t, x2 = (t, x2) if t < x2 else (x2, t)
                            t, x3 = (t, x3) if t < x3 else (x3, t)
                            low[s * BLOCK + j] = t
                        rest[j] += (x0 + x1) + (x2 + x3)
                for j in range(BLOCK):
                    extremes = high[c * BLOCK + j] + low[c * BLOCK + j]
                    out[p, start + j] = (rest[j] + places * extremes) / m

    return mean
