"""Bounds that hold in floating point. Eqs. (5), (7); most of it is not in the paper.

`certificates` brackets σ(W) with two numbers that rounding cannot break, and `strict` makes of it a spectral
normalisation that keeps σ(W̄) ≤ K. `lipschitz` bounds the Lipschitz constant of a whole network from above and from
below; for two inputs it computes it, region by region, with the help of `regions`. `sdp` has the sharpest of the upper
bounds, for any number of inputs, which takes seconds. `branch_and_bound` puts the constant between two proven numbers,
with the help of `patterns`. `convolutions` has the norm of a convolution and lets it enter (7) as it is. `modules`
takes the weights out of other people's networks, and `activations` knows for which ones the bounds hold.
"""
