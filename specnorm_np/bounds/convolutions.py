"""Convolutions, as far as the paper treats them: the kernel as a matrix. Section 4, footnote 3."""

import numpy as np
import numpy.typing as npt

from specnorm_np.spectral import Array


def as_matrix(W: npt.ArrayLike) -> Array:
    """Lay a convolution kernel out as a matrix, d_out × (d_in·h·w). Section 4.

    Parameters
    ----------
    W : (d_out, ...) array
        At least two axes; the first counts the outputs.

    Returns
    -------
    (d_out, d_in * h * w) array
        A view where NumPy can give one.

    Raises
    ------
    ValueError
        If W has fewer than two axes, or no entry.

    Notes
    -----
    The spectral norm of this matrix is not the norm of the convolution; footnote 3 says that they differ. For
    a kernel of h × w, stride 1 and circular padding the convolution's norm lies between σ and √(hw)·σ, and
    where in between depends on the weights.
    """
    W = np.asarray(W)
    if W.dtype.kind not in "fiu":
        raise ValueError(f"W has dtype {W.dtype}; expected numbers")
    if W.ndim < 2 or W.size == 0:
        raise ValueError(f"W has shape {W.shape}; expected (d_out, d_in) or (d_out, d_in, h, w), none of them 0")
    return W.reshape(W.shape[0], -1)
