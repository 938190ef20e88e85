"""The line that follows a run on the terminal."""

import shutil
import sys
import time

from specnorm_np.runs import run as runs


class ProgressLine:
    """Prints step, rate, time left and the newest metrics: one living line on a terminal, plain lines elsewhere."""

    def __init__(self, steps: int, first: int):
        self.steps, self.first, self.began = steps, first, time.perf_counter()
        self.living = sys.stdout.isatty()
        self.next = self.began + (0.2 if self.living else 10.0)

    def __call__(self, progress: runs.Progress) -> None:
        """Print if it is time to."""
        now = time.perf_counter()
        if now < self.next and progress.step < self.steps:
            return
        self.next = now + (0.2 if self.living else 10.0)
        rate = (progress.step - self.first) / (now - self.began)
        left = (self.steps - progress.step) / rate
        parts = [f"step {progress.step}/{self.steps}", f"{rate:.0f}/s", f"{left:.0f} s left", *_metrics(progress.row)]
        if self.living:
            print(f"\r\x1b[K{fitted(parts, shutil.get_terminal_size().columns)}", end="", flush=True)
        else:
            print("  ".join(parts), flush=True)

    def close(self) -> None:
        """End the living line."""
        if self.living:
            print()


def fitted(parts: list[str], columns: int) -> str:
    """Join as many parts as a line of the terminal holds. A longer line would wrap, and stay behind as a stale one."""
    line = parts[0]
    for part in parts[1:]:
        if len(line) + 2 + len(part) >= columns:
            break
        line += f"  {part}"
    return line[: max(columns - 1, 1)]


def _metrics(row: runs.Row | None) -> list[str]:
    if row is None:
        return []
    parts = []
    if row["modes"] is not None:
        parts += [f"modes {row['modes']:g}", f"high quality {row['high_quality']:.1%}"]
        parts += [f"reverse KL {row['reverse_kl']:.4f}"]
    return [*parts, f"Fréchet {row['frechet']:.2g}", f"D {row['d_loss']:.3f}  G {row['g_loss']:.3f}"]
