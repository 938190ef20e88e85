"""The figures: `python -m figures` draws them from kept data, `--recompute` computes the data anew.

A figure is a module with

- `compute(quick, cache, executor) -> dict of arrays`, made with the public API of specnorm_np, without matplotlib;
- `draw(data) -> Figure`, which makes no numbers;
- `facts(data) -> dict of str`, the numbers that its caption states;
- `TITLE` and `CAPTION`, a format string over the facts.

One may have a `table(data)` in Markdown and a `table_csv(data)`, too. One that shows the data of other figures computes
nothing, and names them: `DATA = "settings"`.
"""

NAMES = (
    "teaser",
    "ring",
    "power_iteration",
    "cold_and_warm_start",
    "three_gradients",
    "optimal_discriminator",
    "possible_spectra",
    "spectra",
    "sigma_in_training",
    "lambda_in_training",
    "training_time",
    "settings",
    "samples",
    "n_dis",
    "last_width",
    "reparametrisation",
    "k_and_scale",
    "concentration",
    "claims",
    "fidelity",
    "benchmark_table",
)
"""In the order of the gallery."""
