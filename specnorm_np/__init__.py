"""Spectral Normalization for Generative Adversarial Networks, executable in pure NumPy."""

__version__ = "0.1.0"
