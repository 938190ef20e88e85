"""The command `specnorm-np`: what is typed, and what is printed.

`cli` reads what is typed, with `options` for what `train` and `compare` take; `subcommands` and `comparison` do the
work, and `bench` times a training step.
"""
