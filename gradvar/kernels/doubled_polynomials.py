"""The sums of `polynomials.py` in doubled precision: numbers are unevaluated sums of two floats, 106 bits in all.

For sums that cancel: the inputs are taken as exact, and the relative error of a product of m factors is about
m 2^-104 before cancellation. Products by Dekker's splitting, sums by Knuth's (T. J. Dekker, Numer. Math. 18, 1971),
since a fused multiply-add cannot be had portably. About 40 times the cost of plain floats.
"""

import numpy as np
from numpy.typing import NDArray

from .jit import compiled

Floats = NDArray[np.float64]


@compiled
def _times(a: float, b: float) -> tuple[float, float]:
    """a b without error, barring overflow and underflow."""
    p = a * b
    t = 134217729.0 * a  # 2**27 + 1 splits a into halves of 26 bits
    a1 = t - (t - a)
    a2 = a - a1
    t = 134217729.0 * b
    b1 = t - (t - b)
    b2 = b - b1
    return p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2


@compiled
def _multiply(a: float, da: float, b: float, db: float) -> tuple[float, float]:
    """(a + da)(b + db)."""
    p, e = _times(a, b)
    e += a * db + da * b
    s = p + e
    return s, e - (s - p)


@compiled
def _add(a: float, da: float, b: float, db: float) -> tuple[float, float]:
    """(a + da) + (b + db), with a small relative error also where the two cancel."""
    s = a + b
    t = s - a
    e = (a - (s - t)) + (b - t)
    u = da + db
    t = u - da
    f = (da - (u - t)) + (db - t)
    e += u
    v = s + e
    e = (e - (v - s)) + f
    s = v + e
    return s, e - (s - v)


@compiled
def _step(
    poly: Floats, rest: Floats, zeroth: Floats, dzeroth: Floats, first: Floats, dfirst: Floats, top: int, nodes: int
) -> None:
    """Multiply the polynomials poly + rest by (zeroth + dzeroth) + z (first + dfirst), up to degree `top`."""
    for j in range(top, 0, -1):
        for m in range(nodes):
            a, da = _multiply(poly[j, m], rest[j, m], zeroth[m], dzeroth[m])
            b, db = _multiply(poly[j - 1, m], rest[j - 1, m], first[m], dfirst[m])
            poly[j, m], rest[j, m] = _add(a, da, b, db)
    for m in range(nodes):
        poly[0, m], rest[0, m] = _multiply(poly[0, m], rest[0, m], zeroth[m], dzeroth[m])


@compiled
def quadratic_forms(cosines: Floats, sines: Floats, coefficients: Floats) -> Floats:
    """Return what `polynomials.quadratic_forms` returns, as sums of two: shape (2, f, degree + 1)."""
    count, nodes = cosines.shape
    functions, levels = coefficients.shape[0], coefficients.shape[1]
    forms = np.zeros((2, functions, levels))
    poly = np.empty((levels, nodes))
    rest = np.empty((levels, nodes))
    both, dboth = np.empty(nodes), np.empty(nodes)
    neither, dneither = np.empty(nodes), np.empty(nodes)
    for n in range(nodes):
        poly[:, : n + 1] = 0.0
        poly[0, : n + 1] = 1.0
        rest[:, : n + 1] = 0.0
        for i in range(count):
            c, s = cosines[i, n], sines[i, n]
            for m in range(n + 1):
                neither[m], dneither[m] = _times(c, cosines[i, m])
                both[m], dboth[m] = _times(s, sines[i, m])
            _step(poly, rest, neither, dneither, both, dboth, min(i + 1, levels - 1), n + 1)
        for f in range(functions):
            for j in range(levels):
                own = coefficients[f, j, n]
                if own == 0.0:
                    continue
                total, dtotal = _multiply(poly[j, n], rest[j, n], 0.5 * own, 0.0)
                for m in range(n):
                    a, da = _multiply(poly[j, m], rest[j, m], coefficients[f, j, m], 0.0)
                    total, dtotal = _add(total, dtotal, a, da)
                total, dtotal = _multiply(total, dtotal, 2.0 * own, 0.0)
                forms[0, f, j], forms[1, f, j] = _add(forms[0, f, j], forms[1, f, j], total, dtotal)
    return forms


@compiled
def sums(cosines: Floats, sines: Floats, coefficients: Floats, degree: int) -> Floats:
    """Return ``sum_n coefficients[f, n] [z^degree] prod_i (cosines + z sines)[i, n]``, as sums of two: shape (2, f)."""
    count, nodes = cosines.shape
    poly = np.zeros((degree + 1, nodes))
    rest = np.zeros((degree + 1, nodes))
    poly[0] = 1.0
    none = np.zeros(nodes)
    for i in range(count):
        _step(poly, rest, cosines[i], none, sines[i], none, min(i + 1, degree), nodes)
    totals = np.zeros((2, coefficients.shape[0]))
    for f in range(coefficients.shape[0]):
        for n in range(nodes):
            a, da = _multiply(poly[degree, n], rest[degree, n], coefficients[f, n], 0.0)
            totals[0, f], totals[1, f] = _add(totals[0, f], totals[1, f], a, da)
    return totals


@compiled
def omitted_sums(cosines: Floats, sines: Floats, below: Floats, above: Floats, degree: int) -> Floats:
    """Return what `polynomials.omitted_sums` returns, as sums of two: shape (2, m)."""
    count, nodes = cosines.shape
    before = np.zeros((count + 1, degree + 1, nodes))
    dbefore = np.zeros((count + 1, degree + 1, nodes))
    none = np.zeros(nodes)
    before[0, 0] = 1.0
    for i in range(count):
        for j in range(before.shape[1]):
            for node in range(before.shape[2]):
                before[i + 1, j, node], dbefore[i + 1, j, node] = before[i, j, node], dbefore[i, j, node]
        _step(before[i + 1], dbefore[i + 1], cosines[i], none, sines[i], none, degree, nodes)
    after = np.zeros((degree + 1, nodes))
    dafter = np.zeros((degree + 1, nodes))
    after[0] = 1.0
    out = np.zeros((2, count))
    for i in range(count - 1, -1, -1):
        total, dtotal = 0.0, 0.0
        for n in range(nodes):
            low, dlow = 0.0, 0.0
            for j in range(degree):
                a, da = _multiply(
                    before[i, j, n], dbefore[i, j, n], after[degree - 1 - j, n], dafter[degree - 1 - j, n]
                )
                low, dlow = _add(low, dlow, a, da)
            high, dhigh = 0.0, 0.0
            for j in range(degree + 1):
                a, da = _multiply(before[i, j, n], dbefore[i, j, n], after[degree - j, n], dafter[degree - j, n])
                high, dhigh = _add(high, dhigh, a, da)
            factor, dfactor = _times(cosines[i, n], below[n])
            low, dlow = _multiply(low, dlow, factor, dfactor)
            factor, dfactor = _times(sines[i, n], -above[n])
            high, dhigh = _multiply(high, dhigh, factor, dfactor)
            low, dlow = _add(low, dlow, high, dhigh)
            total, dtotal = _add(total, dtotal, low, dlow)
        out[0, i], out[1, i] = total, dtotal
        _step(after, dafter, cosines[i], none, sines[i], none, degree, nodes)
    return out
