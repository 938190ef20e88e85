"""Convolutions: the kernel as a matrix, as the paper has it, and the norm of the convolution itself. Footnote 3."""

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


def convolution_norm(W: npt.ArrayLike, size: tuple[int, int], padding: str = "zeros") -> float:
    """Bound the spectral norm of a convolution as a map of images, from above; for circular padding it is the norm.

    Parameters
    ----------
    W : (d_out, d_in, h, w) array
        Kernel, as in PyTorch. Correlation and convolution have the same norm.
    size : (int, int)
        Height and width of the images, for circular padding at least those of the kernel.
    padding : {"zeros", "circular"}
        What lies around the image. With "zeros" the bound holds for every amount of padding, none included, and for
        every stride.

    Returns
    -------
    float
        A computed value, with the rounding of an FFT and an SVD: some 10 units in the last place of float64.

    Raises
    ------
    ValueError
        If W is not a kernel, or the size or the padding is not valid.

    Notes
    -----
    On a torus the Fourier transform takes the convolution apart: at each frequency it is the (d_out, d_in) matrix of
    the transforms of the kernel, and its norm is the largest σ of these (Sedghi, Gupta and Long, "The singular values
    of convolutional layers", ICLR 2019).

    An image with zeros around it lies on a torus that is larger by h − 1 and w − 1, where the kernel does not reach
    around. The convolution with zeros is a part of that one: it takes some of the inputs, the others being 0, and
    keeps some of the outputs. So its norm is at most the norm there. A stride keeps fewer outputs still.
    """
    W = np.asarray(W)
    if W.ndim != 4 or W.size == 0 or W.dtype.kind not in "fiu" or not np.isfinite(W).all():
        raise ValueError(f"W has shape {W.shape}; expected a finite kernel (d_out, d_in, h, w), none of them 0")
    if padding not in ("zeros", "circular"):
        raise ValueError(f"padding is {padding!r}; expected 'zeros' or 'circular'")
    h, w = W.shape[2:]
    height, width = (check_side(n) for n in size)
    if padding == "zeros":
        height, width = height + h - 1, width + w - 1
    elif height < h or width < w:
        raise ValueError(f"size is {tuple(size)}; expected at least ({h}, {w}), the size of the kernel")
    transforms = np.fft.rfft2(W.astype(np.float64), (height, width))  # W is real: the other frequencies are conjugates
    return float(np.linalg.svd(transforms.transpose(2, 3, 0, 1), compute_uv=False).max())


def check_side(n: int) -> int:
    """Refuse what is no side of an image."""
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise ValueError(f"size has {n!r}; expected whole numbers, 1 at least")
    return int(n)
