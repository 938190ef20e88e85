"""The command `specnorm-np`: what is typed, and what is printed.

`cli` has the subcommands, `options` what `train` and `compare` take, and `bench` the timing of a training step.
"""
