"""LipSDP's bound of a network's Lipschitz constant, without a solver for semidefinite programs. Not in the paper.

The bound is that of LipSDP-Neuron (Fazlyab et al. 2019). Any choice of its multipliers gives a bound that holds, so
they need not be the best ones: they are improved by a quasi-Newton method, and the last ones are certified.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from specnorm_np.bounds.lipschitz import check_slope, float64_chain, plus_up, tighter_lipschitz_upper_bound, times_up
from specnorm_np.bounds.regions import UNIT_ROUNDOFF
from specnorm_np.spectral import Array, check_count

MEMORY = 20
STAGES = ((10.0, 1e-3), (100.0, 1e-4), (1000.0, 1e-5), (1000.0, 1e-6))
"""How sharp the maximum and how weak the barrier is, from one stage of the minimisation to the next."""


def sdp_lipschitz_upper_bound(W: Sequence[npt.ArrayLike], slope: float, *, iterations: int = 300) -> float:
    """Bound ‖f‖_Lip by a semidefinite program, never above `tighter_lipschitz_upper_bound`.

    Parameters
    ----------
    W : L+1 arrays, (d_l, d_{l-1})
        Effective weights. Biases do not matter.
    slope : float in [0, 1]
        Slope of the leaky ReLU on negative numbers.
    iterations : int
        Steps of the quasi-Newton method in each of its four stages, at most.

    Returns
    -------
    float
        An upper bound that holds in floating point, everywhere and for any input dimension.

    Raises
    ------
    ValueError
        As `lipschitz_upper_bound`, or if `iterations` is less than 1.

    Notes
    -----
    Let Δa be the difference of two pre-activations of a layer, and Δh that of the activations. A slope in [α, 1] says
    of each unit (Δh − αΔa)(Δa − Δh) ≥ 0. Weighted by numbers T ≥ 0, one for each unit, and summed over all layers,
    these inequalities prove ‖Δf‖² ≤ ρ‖Δx‖² if the matrix Q of the quadratic form

        ρ‖Δx‖² − ‖Wᴸ⁺¹Δhᴸ‖² − 2 Σ_l (Δhˡ − αWˡΔhˡ⁻¹)ᵀ T_l (WˡΔhˡ⁻¹ − Δhˡ)

    is positive semidefinite, where Δh⁰ = Δx. Eliminating the layers from the last one down, with P_L = Wᴸ⁺¹ᵀWᴸ⁺¹,

        S_l = 2T_l − P_l,    P_{l−1} = (1+α)² WˡᵀT_l S_l⁻¹ T_l Wˡ − 2α WˡᵀT_l Wˡ,

    shows that it is, if every S_l is positive definite and ρ is the largest eigenvalue of P_0. So ρ is minimised over
    T. (Of a W¹ with more columns than rows only the triangle of its QR factorisation matters to these eigenvalues.)
    The gradient goes back up the same chain: where F Fᵀ is the gradient at P_{l−1}, U = WˡF and Y = S_l⁻¹T_l U give

        ∂ρ/∂T_l = 2(1+α)² Σ Y(U − Y) − 2α Σ U²,    F ← (1+α)Y,

    with sums over the columns. It begins with the eigenvectors of P_0, weighted as in a smooth maximum. What is
    minimised is log ρ less a small multiple of Σ log det S_l, a barrier that keeps every S_l positive definite; its
    gradient joins F. The start, T_l = λ_max(P_l) 1, makes ρ no larger than the square of (7).

    The certificate is a Cholesky factorisation of Q itself, with all its entries as computed, less a multiple of the
    identity that covers the rounding of both. ρ is raised until it succeeds.

    References
    ----------
    Fazlyab, Robey, Hassani, Morari and Pappas, "Efficient and accurate estimation of Lipschitz constants for deep
    neural networks", NeurIPS 2019. Rump, "Verification of positive definiteness", BIT 46, 2006.
    """
    check_slope(slope)
    check_count("iterations", iterations)
    chain = float64_chain(W)
    best = tighter_lipschitz_upper_bound(chain, slope)
    if len(chain) == 1 or slope == 1.0 or not 0.0 < best < math.inf:
        return best  # of a linear network it is the constant
    exponents = [int(np.frexp(np.abs(W_l).max())[1]) for W_l in chain]
    scaled = [np.ldexp(W_l, -e) for W_l, e in zip(chain, exponents, strict=True)]  # exact; the constant scales along
    wide = scaled[0].shape[1] > len(scaled[0])
    reduced = [np.linalg.qr(scaled[0].T)[1].T if wide else scaled[0], *scaled[1:]]
    for T in minimized(reduced, slope, iterations):
        rho = largest_eigenvalue(reduced, slope, T)
        for excess in 10.0 ** np.arange(-12.0, 0.0):
            if certified(scaled, slope, T, rho * (1.0 + excess)):
                root = math.nextafter(math.sqrt(rho * (1.0 + excess)), math.inf)
                with np.errstate(over="ignore"):
                    best = min(best, float(np.ldexp(root, sum(exponents))))
                break
    return best


def minimized(W: Sequence[Array], slope: float, iterations: int) -> list[list[Array]]:
    """Return the multipliers that each stage ends with, one array for each hidden layer; the last make ρ smallest.

    Those of the earlier stages are a little worse, and further from where an S_l is singular.
    """
    P, start = W[-1].T @ W[-1], []
    for W_l in reversed(W[:-1]):
        t = max(float(np.linalg.eigvalsh(P)[-1]), float(np.finfo(float).tiny))
        start.append(np.full(len(P), t))
        S = np.diag(2.0 * start[-1]) - P
        V = t * W_l
        P = (1.0 + slope) ** 2 * V.T @ np.linalg.solve(S, V) - 2.0 * slope * W_l.T @ V
    T, found = start[::-1], []
    splits = np.cumsum([len(t) for t in T])[:-1]
    for sharpness, mu in STAGES:
        beta = sharpness / largest_eigenvalue(W, slope, T)

        def f(vector: Array, beta: float = beta, mu: float = mu) -> tuple[float, Array]:
            """Compute the objective and its gradient at log T."""
            with np.errstate(over="ignore", invalid="ignore"):  # a step that is too long has no finite value
                multipliers = np.exp(vector)
                value, dT = objective(W, slope, np.split(multipliers, splits), beta, mu)
            return value, np.concatenate(dT) * multipliers if dT else vector

        T = np.split(np.exp(quasi_newton(f, np.log(np.concatenate(T)), iterations)), splits)
        found.append(T)
    return found


def _eliminated(W: Sequence[Array], slope: float, T: Sequence[Array]) -> tuple[Array, list[Array]] | None:
    """Return P_0 and, for every layer, R_l with R_lᵀR_l = S_l⁻¹; None where an S_l is not positive definite."""
    P, roots = W[-1].T @ W[-1], []
    for W_l, t in zip(reversed(W[:-1]), reversed(T), strict=True):
        try:
            R = np.linalg.inv(np.linalg.cholesky(np.diag(2.0 * t) - P))
        except np.linalg.LinAlgError:
            return None
        roots.append(R)
        V = t[:, None] * W_l
        half = (1.0 + slope) * R @ V
        P = half.T @ half - 2.0 * slope * W_l.T @ V
    return (P, roots[::-1]) if np.isfinite(P).all() else None


def largest_eigenvalue(W: Sequence[Array], slope: float, T: Sequence[Array]) -> float:
    """Return ρ for given multipliers, infinite where they prove nothing."""
    found = _eliminated(W, slope, T)
    return math.inf if found is None else float(np.linalg.eigvalsh(found[0])[-1])


def objective(
    W: Sequence[Array], slope: float, T: Sequence[Array], beta: float, mu: float
) -> tuple[float, list[Array]]:
    """Compute log ρ_β − μ Σ log det S_l and its gradient at T.

    Here ρ_β = log(Σ exp(βλ))/β, with the sum over the eigenvalues of P_0. This smooth maximum has a gradient where
    eigenvalues meet, and the barrier keeps T away from where an S_l is singular: ρ alone does not, if that happens in a
    direction that no input moves.

    Parameters
    ----------
    W : L+1 arrays
    slope : float in [0, 1]
    T : L arrays, (d_l,)
    beta, mu : float, positive

    Returns
    -------
    value : float
        Infinite where the multipliers prove nothing; then there is no gradient.
    dT : L arrays, or none
    """
    found = _eliminated(W, slope, T)
    if found is None:
        return math.inf, []
    P, roots = found
    values, vectors = np.linalg.eigh(P)
    if not values[-1] > 0.0:
        return math.inf, []
    weights = np.exp(beta * (values - values[-1]))
    rho = float(values[-1]) + math.log(weights.sum()) / beta
    chosen = weights > 1e-12
    F, dT = vectors[:, chosen] * np.sqrt(weights[chosen] / (weights.sum() * rho)), []
    barrier = 0.0
    for W_l, t, R in zip(W, T, roots, strict=False):
        U = W_l @ F
        Y = R.T @ (R @ (t[:, None] * U))
        gradient = 2.0 * (1.0 + slope) ** 2 * Y * (U - Y) - 2.0 * slope * np.square(U)
        dT.append(gradient.sum(axis=1) - 2.0 * mu * np.square(R).sum(axis=0))
        barrier += 2.0 * mu * float(np.log(np.diag(R)).sum())
        F = np.hstack(((1.0 + slope) * Y, math.sqrt(mu) * R.T))
    return math.log(rho) + barrier, dT


def quasi_newton(f: Callable[[Array], tuple[float, Array]], x: Array, iterations: int) -> Array:
    """Minimise f, given with its gradient, by L-BFGS (Nocedal 1980) with backtracking, also from where f is infinite.

    Parameters
    ----------
    f : function (x) -> (value, gradient)
    x : (n,) array
        Where f is finite.
    iterations : int

    Returns
    -------
    (n,) array
        The best x that was found.
    """
    value, gradient = f(x)
    pairs: deque[tuple[Array, Array]] = deque(maxlen=MEMORY)
    for _ in range(iterations):
        direction, factors = -gradient, []
        for s, y in reversed(pairs):
            factors.append(float(s @ direction) / float(s @ y))
            direction = direction - factors[-1] * y
        if pairs:
            s, y = pairs[-1]
            direction = direction * (float(s @ y) / float(y @ y))
        for (s, y), factor in zip(pairs, reversed(factors), strict=True):
            direction = direction + (factor - float(y @ direction) / float(s @ y)) * s
        fall, step = (
            float(direction @ gradient),
            1.0 if pairs else min(1.0, 1.0 / float(np.abs(gradient).sum() + 1e-300)),
        )
        if not fall < 0.0:
            break
        while step > 1e-10:
            trial = x + step * direction
            new_value, new_gradient = f(trial)
            if new_value <= value + 1e-4 * step * fall:
                break
            step *= 0.5
        else:
            break
        s, y = trial - x, new_gradient - gradient
        if float(s @ y) > 1e-12 * float(y @ y):
            pairs.append((s, y))
        converged = value - new_value < 1e-9
        x, value, gradient = trial, new_value, new_gradient
        if converged:
            break
    return x


def certified(W: Sequence[Array], slope: float, T: Sequence[Array], rho: float) -> bool:
    """Tell whether ‖f‖_Lip² ≤ ρ could be proven in floating point with the multipliers T. False proves nothing.

    Parameters
    ----------
    W : L+1 arrays
    slope : float in [0, 1]
    T : L arrays, (d_l,)
        At least 0, taken as stored.
    rho : float

    Notes
    -----
    Each entry of Q is a sum of at most d + 2 products of up to four numbers, d the largest dimension; computed, it is
    off by less than (d + 8)u times the same sum of absolute values. The norm of the errors is at most the largest row
    sum of these. A Cholesky factorisation R of A, of order n, that runs to its end has ‖RᵀR − A‖ ≤ γ trace(A) with
    γ = (n + 1)u/(1 − 2(n + 1)u), so A + γ trace(A) is positive semidefinite.
    """
    sizes = [W[0].shape[1], *(len(t) for t in T)]
    ends = np.cumsum([0, *sizes])
    at = [slice(ends[l], ends[l + 1]) for l in range(len(sizes))]
    n = int(ends[-1])
    Q, size = np.zeros((n, n)), np.zeros((n, n))  # size: the same sums, of absolute values
    Q[at[0], at[0]] = size[at[0], at[0]] = rho * np.eye(sizes[0])
    for l, (W_l, t) in enumerate(zip(W, T, strict=False), 1):
        V = t[:, None] * W_l
        inner = 2.0 * slope * (W_l.T @ V)
        Q[at[l - 1], at[l - 1]] += inner
        size[at[l - 1], at[l - 1]] += 2.0 * slope * (np.abs(W_l).T @ np.abs(V))
        Q[at[l], at[l - 1]], Q[at[l - 1], at[l]] = -(1.0 + slope) * V, -(1.0 + slope) * V.T
        size[at[l], at[l - 1]], size[at[l - 1], at[l]] = 2.0 * np.abs(V), 2.0 * np.abs(V).T
        Q[at[l], at[l]] += np.diag(2.0 * t)
        size[at[l], at[l]] += np.diag(2.0 * t)
    Q[at[-1], at[-1]] -= W[-1].T @ W[-1]
    size[at[-1], at[-1]] += np.abs(W[-1]).T @ np.abs(W[-1])
    if not np.isfinite(size).all():
        return False
    # Rows and columns are scaled by powers of 2, which is exact and keeps the signs of the eigenvalues, so that the
    # diagonal is near 1: the multipliers of units that hardly bend are large.
    half = -(np.frexp(np.diag(size))[1] // 2)
    Q, size = (np.ldexp(matrix, half[:, None] + half) for matrix in (Q, size))
    d = max(max(W_l.shape) for W_l in W)
    # Twice the sums cover the rounding of the sums themselves; the smallest normal number covers underflow.
    off = times_up(2.0 * (d + 8) * UNIT_ROUNDOFF, float(size.sum(axis=1).max()))
    trace = times_up(2.0 * (n + 1) * UNIT_ROUNDOFF, 2.0 * float(np.diag(size).sum()))
    shift = plus_up(plus_up(off, trace), n * n * float(np.finfo(float).tiny))
    Q[np.arange(n), np.arange(n)] -= 2.0 * shift  # once for the shift, once for the rounding of its subtraction
    try:
        np.linalg.cholesky(Q)
    except np.linalg.LinAlgError:
        return False
    return True
