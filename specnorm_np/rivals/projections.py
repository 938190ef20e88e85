"""Methods that move the weights back to an allowed set after every update: clipping, and W = USVᵀ. D.2, D.3, eq. (28).

Each is a normaliser that leaves W as it is between the updates. Its `project` goes to the allowed set, and its `settle`
does so after every update.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from specnorm_np.normalizers import Identity
from specnorm_np.spectral import Array, check_positive, floats


@dataclass(frozen=True)
class Clip(Identity):
    """Weight clipping (Arjovsky et al. 2017), which truncates every entry of W to [−c, c]. D.2.

    Parameters
    ----------
    c : float, positive
        The paper uses 0.01. Biases are not clipped.

    Notes
    -----
    The largest σ(W) that clipping allows is c√(d_o d_i). It is reached at W = c ss'ᵀ with sign vectors s and s', which
    is a matrix of rank one.
    """

    c: float = 0.01

    def __post_init__(self) -> None:
        check_positive("c", self.c)

    def project(self, W: Array) -> tuple[Array]:
        """Truncate every entry."""
        return (np.clip(W, -self.c, self.c),)

    def parametrize(self, W: Array) -> tuple[Array]:
        """Begin at the allowed matrix."""
        return self.project(W)

    def settle(self, W: Array, state: Any) -> tuple[tuple[Array], Any]:
        """Return to the allowed matrices after an update."""
        return self.project(W), state


@dataclass(frozen=True)
class SingularValueClip(Identity):
    """Singular value clipping (Saito et al. 2017), which lowers every singular value of W to K at most. D.3.

    Parameters
    ----------
    K : float, positive
    """

    K: float = 1.0

    def __post_init__(self) -> None:
        check_positive("K", self.K)

    def project(self, W: Array) -> tuple[Array]:
        """Return the nearest matrix, in the Frobenius norm, with σ(W) ≤ K; W itself if it is one."""
        U, S, Vt = np.linalg.svd(W, full_matrices=False)
        return (W if S[0] <= self.K else U * np.minimum(S, self.K) @ Vt,)

    def parametrize(self, W: Array) -> tuple[Array]:
        """Begin at the allowed matrix."""
        return self.project(W)

    def settle(self, W: Array, state: Any) -> tuple[tuple[Array], Any]:
        """Return to the allowed matrices after an update."""
        return self.project(W), state


@dataclass(frozen=True)
class USV:
    """The parametrisation W = USVᵀ with UᵀU = VᵀV = I and max S_ii = K. Eq. (28).

    Parameters
    ----------
    K : float, positive

    Notes
    -----
    The blocks are U (d_o, P), the diagonal of S (P,) and V (d_i, P), with P = min(d_o, d_i). The set of all U with
    UᵀU = I is curved, so a straight step of the optimiser leaves it, and `project` returns to it after every step. An
    S_ii may become negative. Then W is the same as with −S_ii and −u_i, and so |S_ii| is what counts.
    """

    K: float = 1.0
    blocks: ClassVar[tuple[str, ...]] = ("U", "S", "V")

    def __post_init__(self) -> None:
        check_positive("K", self.K)

    def parametrize(self, W: Array) -> tuple[Array, Array, Array]:
        """Factorise W by SVD and scale S to max S_ii = K."""
        U, S, Vt = np.linalg.svd(W, full_matrices=False)
        factors = self.project(U, self.K * (S / (S[0] or 1.0)), Vt.T)
        return self.project(*factors)  # the second time takes away the rounding that the first one leaves

    def start(self, U: Array, S: Array, V: Array, *, rng: np.random.Generator) -> Any:
        """There is no state."""
        return None

    def normalize(self, U: Array, S: Array, V: Array, state: Any) -> Array:
        """Multiply the factors. Eq. (28)."""
        W: Array = U * S @ V.T  # (28)
        return W

    def pullback(self, dW: Array, U: Array, S: Array, V: Array, state: Any) -> tuple[Array, Array, Array]:
        """Pull ∂V/∂W back to dU = dW V S, dS = diag(Uᵀ dW V), dV = dWᵀU S, as if U, S, V were free."""
        dW_V = dW @ V
        return dW_V * S, (U * dW_V).sum(axis=0), dW.T @ U * S

    def project(self, U: Array, S: Array, V: Array) -> tuple[Array, Array, Array]:
        """Return to the allowed set: U and V by QR, which is a retraction, and S to the nearest allowed one.

        The nearest S has its entries clipped to [−K, K], and the largest one raised to K if none reaches it.
        """
        S = np.clip(S, -self.K, self.K)
        top = np.abs(S).argmax()
        S[top] = math.copysign(self.K, S[top])
        return orthonormalized(U), S, orthonormalized(V)

    def settle(self, U: Array, S: Array, V: Array, state: Any) -> tuple[tuple[Array, Array, Array], Any]:
        """Return to the allowed factors after an update."""
        return self.project(U, S, V), state


def orthonormalized(A: Array) -> Array:
    """Return the Q of A = QR with R_ii ≥ 0, (m, k) for an (m, k) array A with m ≥ k.

    The signs make it unique and continuous where A has full rank, and uniform for a Gaussian A.

    Raises
    ------
    ValueError
        If A is narrower or wider than LAPACK computes in.
    """
    (A,) = floats(A)
    if A.dtype.itemsize not in (4, 8):
        raise ValueError(f"A has dtype {A.dtype}; expected float32 or float64")
    Q, R = np.linalg.qr(A)
    Q[:, np.diag(R) < 0.0] *= -1.0
    return Q
