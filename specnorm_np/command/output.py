"""What is printed, and what is said of a mistyped command: neither may ever cost somebody a run."""

import argparse
import difflib
import io
import os
import re
import sys
from typing import Any, NoReturn


class _Patient(io.TextIOBase):
    """Wraps a stream whose reader may leave: from then on the output goes nowhere, and the work goes on."""

    def __init__(self, stream: io.TextIOWrapper):
        self.stream = stream

    def write(self, text: str) -> int:
        """Write, unless the reader has gone."""
        try:
            return self.stream.write(text)
        except BrokenPipeError:
            return self._turn_away(len(text))

    def flush(self) -> None:
        """Flush, unless the reader has gone."""
        try:
            self.stream.flush()
        except BrokenPipeError:
            self._turn_away(0)

    def _turn_away(self, written: int) -> int:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.stream.fileno())
        os.close(nowhere)
        return written

    def isatty(self) -> bool:
        """Say whether the stream is a terminal."""
        return self.stream.isatty()

    def fileno(self) -> int:
        """Return the descriptor of the stream."""
        return self.stream.fileno()


def harmless_output() -> None:
    """See to it that output ends no command, whatever the encoding of the stream and however long somebody reads it.

    Characters that a stream lacks, such as σ on many a Windows terminal, are written as question marks. If the reader
    of a pipe leaves, as `head` does, the rest is dropped, and the exit status is that of the work.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
            setattr(sys, name, _Patient(stream))


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line, with the name that was probably meant.

    `--steps 1e4` and `--K -1e-3` are read as the numbers that they are.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})
        self._negative_number_matcher = re.compile(r"^-(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")
        self.register("type", int, whole_number)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in a line, and end with status 2."""
        message = re.sub(r"invalid int value: (.*)", r"\1 is not a whole number", message)
        message = re.sub(r"invalid float value: (.*)", r"\1 is not a number", message)
        message += self._suggestion(message)
        self.exit(2, f"{self.prog}: error: {message}; see {self.prog} --help\n")

    def _suggestion(self, message: str) -> str:
        wrong = re.search(r"unrecognized arguments: (\S+)|invalid choice: '([^']*)'", message)
        if wrong is None:
            return ""
        if wrong[1]:
            known = [option for action in self._all_actions() for option in action.option_strings]
        else:
            known = re.findall(r"[\w+.-]+", message.split("choose from", 1)[-1])
        word = (wrong[1] or wrong[2]).split("=")[0]
        by_lower = {name.lower().lstrip("-"): name for name in known if name != word}
        close = difflib.get_close_matches(word.lower().lstrip("-"), by_lower, n=1, cutoff=0.6)
        return f" (did you mean {by_lower[close[0]]}?)" if close else ""

    def _all_actions(self) -> list[argparse.Action]:
        found = list(self._actions)
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                found += [inner for parser in action.choices.values() for inner in parser._actions]
        return found


def whole_number(text: str) -> int:
    """Read a whole number, 1e4 included. Anything else is a ValueError."""
    try:
        return int(text)
    except ValueError:
        value = float(text)
        if not value.is_integer():
            raise ValueError(f"{text} is not a whole number") from None
        return int(value)


whole_number.__name__ = "whole number"
