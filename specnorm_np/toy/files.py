"""Points as people have them in files: which columns are the points, found out or asked, never guessed in silence."""

import csv
import gzip
import io
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from specnorm_np.spectral import Array

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "blank": " "}
"""What may stand between the cells of a text, by name."""

SUFFIXES = (".npy", ".npz", ".csv", ".tsv", ".txt", ".dat")
INDEX_NAMES = {"", "index", "id", "idx", "no", "nr", "row", "unnamed: 0", "#"}


class Table(NamedTuple):
    """What a file holds.

    Attributes
    ----------
    x : (n, d) array
        The points.
    note : str
        What was read, in a line.
    """

    x: Array
    note: str


class Cells(NamedTuple):
    """A text, cut into cells: the rows with their line numbers, what stands between the cells, and the decimal mark."""

    rows: list[tuple[int, list[str]]]
    delimiter: str
    comma_is_decimal: bool


def read_table(path: str | Path, *, columns: str | None = None, delimiter: str | None = None) -> Table:
    """Read points from a file.

    Parameters
    ----------
    path : str or Path
        `.npy`, `.npz` with one array, or a text `.csv`, `.tsv`, `.txt`, `.dat`, also with `.gz` after it; "-" is text
        from the standard input. Text is UTF-8 or UTF-16. Lines that begin with # or % are comments.
    columns : str, optional
        Names, or numbers counted from 1, with commas between: the columns that are the coordinates. Without it all
        columns of numbers are, but for what is evidently an index.
    delimiter : {"comma", "semicolon", "tab", "blank"}, optional
        Found by itself if not given.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        If it cannot be read, or can be read in more than one way. The message says what to give.
    """
    if delimiter is not None and delimiter not in DELIMITERS:
        raise ValueError(f"delimiter is {delimiter!r}; expected one of {', '.join(DELIMITERS)}")
    name = str(path)
    suffix = Path(name.lower().removesuffix(".gz")).suffix
    if name != "-" and suffix not in SUFFIXES:
        raise ValueError(
            f"path {name!r} has suffix {suffix!r}; expected {', '.join(SUFFIXES)}, or - for standard input"
        )
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(path).read_bytes()
        if name.lower().endswith(".gz"):
            content = gzip.decompress(content)
        if suffix in (".npy", ".npz"):
            x, what = _array(content, suffix)
            return _selected(x, what, columns)
        cells = _cut(_text(content), delimiter)
        if delimiter is None and columns is None:
            _check_decimal_commas(cells)
        return _table(cells, columns)
    except OSError as error:
        raise ValueError(f"path {name!r} cannot be read: {error.strerror or error}") from error
    except (ValueError, MemoryError, EOFError, csv.Error) as error:
        raise ValueError(f"path {name!r}: {error}") from error


def _array(content: bytes, suffix: str) -> tuple[Array, str]:
    if suffix == ".npy":
        x: Array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
        what = ""
    else:
        if not content.startswith(b"PK"):
            raise ValueError("it is no .npz archive")
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                names = list(arrays)
                if len(names) != 1:
                    raise ValueError(f"it has the arrays {', '.join(names)}; expected a single one")
                x, what = arrays[names[0]], f", array {names[0]}"
        except ValueError:
            raise
        except Exception as error:  # a damaged archive fails in more ways than NumPy documents
            raise ValueError(f"it is no .npz archive: {error}") from None
    return (x[:, None] if x.ndim == 1 else x), what


def _selected(x: Array, what: str, columns: str | None) -> Table:
    """Take the asked columns of an array, which have numbers only."""
    if columns is not None:
        if x.ndim != 2:
            raise ValueError(f"x has shape {x.shape}; expected (n, d)")
        x = x[:, _chosen(columns, [str(i) for i in range(1, x.shape[1] + 1)])]
    shown = f" of {x.shape[1]} columns" if x.ndim == 2 else ""
    return Table(x, f"{len(x)} points{shown}{what}")


def _text(content: bytes) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"it is neither UTF-8 nor UTF-16 text ({error.reason} at byte {error.start})") from None


# ---- from text to cells ---------------------------------------------------------------------------------------------


def _cut(text: str, asked: str | None) -> Cells:
    """Cut a text into cells: at tabs if most lines have them, else at semicolons, at commas, or at blanks."""
    lines = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip() and line.strip()[0] not in "#%"]
    last = lines[-1][1] if lines else ""
    common = [mark for mark in "\t;," if 2 * sum(mark in line for _, line in lines) >= max(len(lines), 1)]
    mark = [*common, " "][0] if asked is None else DELIMITERS[asked]
    blanks = last.split()
    decimal = len(blanks) > 1 and all("," in cell and _number(cell, True) is not None for cell in blanks)
    if asked is None and mark == "," and decimal:
        raise ValueError(
            f"line {lines[-1][0]} is {last!r}: its commas may be decimal marks, or stand between cells; say"
            " --delimiter blank for the first, --delimiter comma for the second"
        )
    rows = [(i, cells) for i, cells in _split(lines, mark) if any(cells)]
    comma = mark != "," and any("," in cell for _, cells in rows for cell in cells if _number(cell, True) is not None)
    return Cells(rows, next(name for name, other in DELIMITERS.items() if other == mark), comma)


def _check_decimal_commas(cells: Cells) -> None:
    """Refuse a text with two whole numbers for each name of its header: "x", "0,13" may be one column with a comma."""
    if cells.delimiter != "comma" or len(cells.rows) < 2:
        return
    (_, names), *lines = cells.rows
    if any(_number(name, False) is not None for name in names):
        return
    for _, row in lines:
        if len(row) != 2 * len(names) or not all(
            cell.isdigit() for cell in [r.lstrip("+-") for r in row[::2]] + row[1::2]
        ):
            return
    raise ValueError(
        f"the header in line {cells.rows[0][0]} has {len(names)} cell{'s' * (len(names) > 1)}, the lines below it have"
        f" {2 * len(names)}: their commas may be decimal marks, or stand between cells; say --delimiter blank for the"
        " first, --delimiter comma for the second"
    )


def _split(lines: Sequence[tuple[int, str]], mark: str) -> list[tuple[int, list[str]]]:
    if mark == " ":
        return [(i, line.split()) for i, line in lines]
    found = []
    for i, line in lines:
        for cells in csv.reader([line], delimiter=mark, skipinitialspace=True):
            found.append((i, [cell.strip() for cell in cells]))
    return found


def _number(cell: str, comma_is_decimal: bool) -> float | None:
    if comma_is_decimal and cell.count(",") == 1 and "." not in cell:
        cell = cell.replace(",", ".")
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


# ---- from cells to points -------------------------------------------------------------------------------------------


def _table(cells: Cells, columns: str | None) -> Table:
    """Find header, index and labels, and make numbers of the rest."""
    rows = cells.rows
    if not rows:
        raise ValueError(f"x has shape (0, 0); expected n points in n lines, with a {cells.delimiter} between cells")

    def numbers(row: list[str]) -> list[float | None]:
        return [_number(cell, cells.comma_is_decimal) for cell in row]

    width = Counter(len(row) for _, row in rows).most_common(1)[0][0]
    header = 0  # the first lines, as long as no cell of them is a number
    while header < len(rows) - 1 and not any(number is not None for number in numbers(rows[header][1])):
        header += 1
    if not any(number is not None for number in numbers(rows[header][1])):
        raise ValueError("there are no points; expected lines of numbers below the header")
    names = _names(rows[:header], width)
    for i, row in rows[header:]:
        if len(row) != width:
            raise ValueError(f"line {i} has {len(row)} cells; expected {width} as in most lines")
    filled = [k for k in range(width) if any(row[k] for _, row in rows[header:])]
    labels = [k for k in filled if all(_number(r[k], cells.comma_is_decimal) is None for _, r in rows[header:])]
    coordinates, left_out = [k for k in filled if k not in labels], [f"{names[k]} (text)" for k in labels]
    if columns is not None:
        coordinates, left_out = _chosen(columns, names), []
    x = np.empty((len(rows) - header, len(coordinates)))
    for at, (i, row) in enumerate(rows[header:]):
        for k, column in enumerate(coordinates):
            number = _number(row[column], cells.comma_is_decimal)
            if number is None:
                raise ValueError(f"line {i} has the cell {row[column]!r}; expected a number in column {names[column]}")
            x[at, k] = number
    if columns is None:
        x, coordinates, left_out = _without_index(x, coordinates, left_out, names, header > 0)
    head = {0: "no header", 1: f"header in line {rows[0][0]}"}.get(header, f"header of {header} lines")
    mark = f", {cells.delimiter} between cells" + (", decimal commas" if cells.comma_is_decimal else "")
    out = f"; left out: {', '.join(left_out)}" if left_out else ""
    used = ", ".join(names[k] for k in coordinates)
    return Table(x, f"{len(x)} points, column{'s' * (len(coordinates) != 1)} {used} ({head}{mark}{out})")


def _names(header: Sequence[tuple[int, list[str]]], width: int) -> list[str]:
    """Take the names of the columns from the last line of the header that has as many, or number them from 1."""
    for _, row in reversed(header):
        if len(row) == width and len(set(row)) == width:
            return [name or str(k) for k, name in enumerate(row, 1)]
    return [str(k) for k in range(1, width + 1)]


def _chosen(columns: str, names: Sequence[str]) -> list[int]:
    """Find the columns that are asked for, by name or by number counted from 1."""
    chosen = []
    for text in (part.strip() for part in columns.split(",")):
        if text in names:
            chosen.append(names.index(text))
        elif text.isdigit() and 1 <= int(text) <= len(names):
            chosen.append(int(text) - 1)
        else:
            raise ValueError(f"columns has {text!r}; expected names or numbers of {', '.join(names)}")
    if len(set(chosen)) < len(chosen):
        raise ValueError(f"columns is {columns!r}, with a column twice; expected different ones")
    return chosen


def _without_index(
    x: Array, coordinates: list[int], left_out: list[str], names: Sequence[str], named: bool
) -> tuple[Array, list[int], list[str]]:
    """Leave out a first column that counts the rows and is named so; refuse what may be an index or a label."""
    if x.shape[1] < 2 or len(x) < 3:
        return x, coordinates, left_out
    first, rest = names[coordinates[0]], ",".join(names[k] for k in coordinates[1:])
    if any((x[:, 0] == np.arange(start, start + len(x))).all() for start in (0, 1)):
        if named and (first.lower() in INDEX_NAMES or first == str(coordinates[0] + 1)):
            return x[:, 1:], coordinates[1:], [*left_out, f"{first} (counts the lines)"]
        every = ",".join(names[k] for k in coordinates)
        raise ValueError(
            f"column {first} counts the lines: it may be an index; say --columns {rest} to leave it out, or --columns"
            f" {every} to keep it"
        )
    whole = [bool((x[:, k] == np.round(x[:, k])).all()) for k in range(x.shape[1])]
    values = np.unique(x[:, -1])
    if whole[-1] and not any(whole[:-1]) and len(x) >= 20 and 2 <= len(values) <= min(20, len(x) // 5):
        last, others = names[coordinates[-1]], ",".join(names[k] for k in coordinates[:-1])
        every = ",".join(names[k] for k in coordinates)
        raise ValueError(
            f"column {last} has only the whole numbers {', '.join(f'{v:g}' for v in values)}: it may be a label; say"
            f" --columns {others} to leave it out, or --columns {every} to keep it"
        )
    return x, coordinates, left_out
