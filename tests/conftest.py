"""One BLAS thread (small matrices are slower on several) and the hypothesis profiles of the suite."""

import os

for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

from hypothesis import HealthCheck, settings  # noqa: E402

_common = {"deadline": None, "derandomize": True, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", max_examples=50, **_common)
settings.register_profile("thorough", max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("random", max_examples=50, **{**_common, "derandomize": False, "print_blob": True})
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
