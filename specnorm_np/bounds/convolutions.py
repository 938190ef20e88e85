"""Convolutions: the kernel as a matrix, as the paper has it, and the norm of the convolution itself. Footnote 3."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from specnorm_np.bounds.regions import UNIT_ROUNDOFF
from specnorm_np.spectral import Array

CHUNK = 2**22
"""How many numbers the matrices hold that are factorised at once."""


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


def convolution_norm(W: npt.ArrayLike, size: tuple[int, int], padding: int | str = "zeros") -> float:
    """Bound the spectral norm of a convolution as a map of images, from above; for circular padding it is the norm.

    Parameters
    ----------
    W : (d_out, d_in, h, w) array
        Kernel, as in PyTorch. Correlation and convolution have the same norm.
    size : (int, int)
        Height and width of the images, for circular padding at least those of the kernel.
    padding : int of at least 0, or "zeros" or "circular"
        What lies around the image: so many rows and columns of zeros on each side, or the image itself once more,
        with an output as large as the input. With "zeros" the bound holds for every amount of them. The bound of a
        convolution without stride holds for every stride.

    Returns
    -------
    float
        A computed value, with the rounding of an FFT and an SVD: some 10 units in the last place of float64.
        `convolution_upper_bound` is a little larger, and rounding cannot break it.

    Raises
    ------
    ValueError
        If W is not a kernel, or the size or the padding is not valid.

    Notes
    -----
    On a torus the Fourier transform takes the convolution apart: at each frequency it is the (d_out, d_in) matrix of
    the transforms of the kernel, and its norm is the largest σ of these (Sedghi, Gupta and Long, "The singular values
    of convolutional layers", ICLR 2019).

    An image with p zeros on each side lies on a torus that is larger by p, for the zeros beyond one side may be those
    beyond the other; more than h − 1 of them are not reached together with the image. The convolution with zeros is a
    part of the one on the torus: it takes some of the inputs, the others being 0, and keeps some of the outputs. So its
    norm is at most the norm there. A stride keeps fewer outputs still.
    """
    W = _check_kernel(W)
    transforms = np.fft.rfft2(W.astype(np.float64), _torus(W, size, padding))  # the other frequencies are conjugates
    return float(np.linalg.svd(transforms.transpose(2, 3, 0, 1), compute_uv=False).max())


def convolution_upper_bound(W: npt.ArrayLike, size: tuple[int, int], padding: int | str = "zeros") -> float:
    """Bound the spectral norm of a convolution from above, so that rounding cannot break the bound.

    Parameters
    ----------
    W : (d_out, d_in, h, w) array
        Kernel, float64 or narrower, taken as stored.
    size, padding
        As for `convolution_norm`.

    Returns
    -------
    float
        At least the norm of the convolution that `convolution_norm` describes. Infinite if that is not representable.

    Raises
    ------
    ValueError
        As `convolution_norm`, or if W is wider than float64.

    Notes
    -----
    Let u = 2⁻⁵³. W is scaled by a power of two so that ½ ≤ max|W| < 1. The matrix of one frequency is
    F = ∑_ij e_i W_ij e'_j with |e_i| = |e'_j| = 1. A computed e is off by at most 40u: its angle, at most 2π, by three
    relative roundings, which is 19u, and its cosine and sine by 4 units in the last place, 8u, which is assumed of
    NumPy. The two sums of h and of w complex terms add at most 3(h + w + 4)u (Higham, section 3.6). So a computed F is
    off by at most ε = (128 + 4(h + w))u ‖∑_ij|W_ij|‖_F in norm.

    The norm of a computed F is that of the real matrix R = [[Re F, −Im F], [Im F, Re F]], for which the identity of
    `specnorm_np.bounds.certificates` is used as there: a Cholesky factor L of c² I − RᵀR gives
    σ(R)² ≤ c² + 1.01(‖M − LLᵀ‖_F + u c² + γ_m(tr RᵀR + tr LLᵀ)), with the same c at all frequencies. By Parseval's
    identity one F has a norm of at least ½, so that c has, and underflow is covered as there.

    The rounding is covered by Cholesky factors here, where Delattre et al. ("Efficient bound of Lipschitz constant for
    convolutional layers by Gram iteration", ICML 2023) take powers of FᵀF, whose limit is the same number.
    """
    W = _check_kernel(W)
    if W.dtype.itemsize > 8:
        raise ValueError(f"W has dtype {W.dtype}; expected float64 or narrower, for which the bound is derived")
    W = W.astype(np.float64)
    torus = _torus(W, size, padding)
    largest = float(np.abs(W).max())
    if largest == 0.0:
        return 0.0
    exponent = math.frexp(largest)[1]
    scaled: Array = np.ldexp(W, -exponent)  # exact but for what underflows
    transforms, error = _transforms(scaled, torus)
    bound = math.nextafter(_largest_upper(transforms) + error, math.inf)
    with np.errstate(over="ignore"):
        unscaled = float(np.ldexp(bound, exponent))
    return unscaled if np.ldexp(unscaled, -exponent) >= bound else math.nextafter(unscaled, math.inf)


@dataclass(frozen=True, eq=False)
class Conv2d:
    """A convolution of images of a given size, as a layer of the chain that `lipschitz_upper_bound` takes.

    Parameters
    ----------
    W : (d_out, d_in, h, w) array
        Kernel.
    size : (int, int)
        Height and width of the images that come in.
    padding : int of at least 0, or "circular"
        Zeros on each side, or the image itself once more, with an output as large as the input but for the stride.
    stride : int of at least 1
        Every how many rows and columns an output is kept.

    Raises
    ------
    ValueError
        If W is not a kernel, the size, the padding or the stride is not valid, or no output is left.

    Notes
    -----
    Dilation and groups are not covered. A kernel of groups can be filled up with zeros.
    """

    W: npt.ArrayLike
    size: tuple[int, int]
    padding: int | str = 0
    stride: int = 1

    def __post_init__(self) -> None:
        W = _check_kernel(self.W)
        _torus(W, self.size, self.padding)
        if self.padding == "zeros":
            raise ValueError("padding is 'zeros'; expected how many, since the size of the output depends on it")
        if not _is_whole(self.stride) or self.stride < 1:
            raise ValueError(f"stride is {self.stride!r}; expected a whole number, 1 at least")
        if min(self.size_out) < 1:
            raise ValueError(
                f"size is {self.size} with padding {self.padding}; expected room for the kernel {W.shape[2:]}"
            )

    @property
    def size_out(self) -> tuple[int, int]:
        """Height and width of the images that go out."""
        if isinstance(self.padding, str):
            height, width = self.size
        else:
            h, w = np.shape(self.W)[2:]
            height, width = self.size[0] + 2 * self.padding - h + 1, self.size[1] + 2 * self.padding - w + 1
        return -(-height // self.stride), -(-width // self.stride)

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of the convolution as a matrix, (d_out·h_out·w_out, d_in·h_in·w_in)."""
        d_out, d_in = np.shape(self.W)[:2]
        return d_out * math.prod(self.size_out), d_in * math.prod(self.size)

    def norm_upper(self) -> float:
        """Bound the norm of the layer by `convolution_upper_bound`."""
        return convolution_upper_bound(self.W, self.size, self.padding)


def _check_kernel(W: npt.ArrayLike) -> Array:
    W = np.asarray(W)
    if W.ndim != 4 or W.size == 0 or W.dtype.kind not in "fiu" or not np.isfinite(W).all():
        raise ValueError(f"W has shape {W.shape}; expected a finite kernel (d_out, d_in, h, w), none of them 0")
    return W


def _torus(W: Array, size: tuple[int, int], padding: int | str) -> tuple[int, int]:
    """Return the sides of the torus on which the convolution lies."""
    if padding not in ("zeros", "circular") and not (_is_whole(padding) and int(padding) >= 0):
        raise ValueError(f"padding is {padding!r}; expected 'zeros', 'circular' or a whole number, 0 at least")
    h, w = W.shape[2:]
    height, width = (check_side(n) for n in size)
    if padding == "circular":
        if height < h or width < w:
            raise ValueError(f"size is {tuple(size)}; expected at least ({h}, {w}), the size of the kernel")
        return height, width
    zeros = max(h, w) if padding == "zeros" else int(padding)
    return max(height + min(zeros, h - 1), h), max(width + min(zeros, w - 1), w)


def _transforms(W: Array, torus: tuple[int, int]) -> tuple[Array, float]:
    """Return the matrix of each frequency, (n, d_out, d_in), and a bound of the error of each in ‖·‖_F."""
    h, w = W.shape[2:]
    rows, columns = (
        np.exp(-2j * np.pi * (np.outer(np.arange(n), np.arange(k)) % side) / side)
        for n, k, side in ((torus[0], h, torus[0]), (torus[1] // 2 + 1, w, torus[1]))
    )
    transforms: Array = np.einsum("ki,lj,ocij->kloc", rows, columns, W, optimize=["einsum_path", (1, 2), (0, 1)])
    size = float(np.linalg.norm(np.abs(W).sum(axis=(2, 3))))
    error = 1.01 * (128 + 4 * (h + w)) * UNIT_ROUNDOFF * size
    return transforms.reshape(-1, *W.shape[:2]), error


def _largest_upper(F: Array) -> float:
    """Bound the largest σ of a stack of complex matrices, which is at least ½ of 1, from above."""
    F = F if F.shape[1] >= F.shape[2] else F.transpose(0, 2, 1)  # of which σ is the same
    m, n = 2 * F.shape[1], 2 * F.shape[2]
    sigma = float(np.linalg.svd(F, compute_uv=False).max())
    chunks = np.array_split(F, -(-F.shape[0] * m * n // CHUNK))
    slack = 8 * m * UNIT_ROUNDOFF
    while slack < 1.0:
        try:
            return max(_upper(chunk, sigma * sigma * (1.0 + slack)) for chunk in chunks if len(chunk))
        except np.linalg.LinAlgError:
            slack *= 8.0
    return math.inf


def _upper(F: Array, c2: float) -> float:
    """Bound the largest σ of some matrices by the identity in the docstring of `certificates`."""
    R = np.block([[F.real, -F.imag], [F.imag, F.real]])
    m, n = R.shape[1:]
    G = R.transpose(0, 2, 1) @ R
    M = c2 * np.eye(n) - G
    L = np.linalg.cholesky(M)
    H = L @ L.transpose(0, 2, 1)
    gamma = m * UNIT_ROUNDOFF / (1.0 - m * UNIT_ROUNDOFF)
    traces = np.trace(G, axis1=1, axis2=2) + np.trace(H, axis1=1, axis2=2)
    D = np.linalg.norm(M - H, axis=(1, 2)) + UNIT_ROUNDOFF * c2 + gamma * traces
    return math.sqrt(c2 + 1.01 * float(D.max())) * (1.0 + 4.0 * UNIT_ROUNDOFF)


def check_side(n: int) -> int:
    """Refuse what is no side of an image."""
    if not _is_whole(n) or n < 1:
        raise ValueError(f"size has {n!r}; expected whole numbers, 1 at least")
    return int(n)


def _is_whole(n: object) -> bool:
    return isinstance(n, int | np.integer) and not isinstance(n, bool)
