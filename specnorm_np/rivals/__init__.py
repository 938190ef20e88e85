"""The methods that the paper compares spectral normalisation with. Sections 3 and 4.1, Appendices D and E.

Each is a value of a field of `GAN`, so the six modules of the paper know none of them. `normalizers` has weight and
Frobenius normalisation and the learned gain γ; `projections` has weight clipping, singular-value clipping and W = USVᵀ;
`penalties` has the orthonormal, the spectral norm and the gradient penalty; `activation_norms` has batch and layer
normalisation with the network that uses them; `schedules` has learning rates and a K that change during a run.
`methods.METHODS` lists all methods by name.
"""
