"""Distributions in the plane, points of your own, and how good samples are. Appendix B.1.

`targets` has the ring, the grid, the moons, the spiral and the checkerboard; `points` turns a user's own points into a
target, and `files` reads them as people have them. `metrics` counts modes and high-quality samples, measures the shape
of the modes, and computes the reverse KL and the Fréchet distance (24). `two_sample` asks whether the nearest neighbour
can tell generated points from real ones.
"""
