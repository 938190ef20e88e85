"""Files of points, as people have them. Each reading is held to the right numbers, each doubt to its question."""

import gzip
import io
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from specnorm_np.toy.files import read_table
from specnorm_np.toy.points import load_points, points, scale_note

X = np.array([[0.5, -1.25], [3.0, 1e-3], [-7.0, 2.0], [1.5, 2.5]])


def rows(mark=",", decimal=".", *, x=X):
    return "".join(mark.join(f"{v:g}".replace(".", decimal) for v in row) + "\n" for row in x)


@pytest.mark.parametrize(
    ("name", "content", "note"),
    [
        ("a.csv", rows(), "columns 1, 2 (no header, comma between cells)"),
        ("a.csv", rows(";"), "columns 1, 2 (no header, semicolon between cells)"),
        ("a.csv", rows(";", ","), "columns 1, 2 (no header, semicolon between cells, decimal commas)"),
        ("a.tsv", rows("\t"), "columns 1, 2 (no header, tab between cells)"),
        ("a.tsv", rows("\t", ","), "columns 1, 2 (no header, tab between cells, decimal commas)"),
        ("a.txt", rows(" "), "columns 1, 2 (no header, blank between cells)"),
        ("a.dat", "  0.5   -1.25\n3  1e-3 \n\n-7 2\n1.5 2.5", "columns 1, 2 (no header, blank between cells)"),
        ("a.csv", "x,y\n" + rows(), "columns x, y (header in line 1, comma between cells)"),
        ("a.csv", "x,y\ncm,cm\n" + rows(), "columns x, y (header of 2 lines"),
        ("a.csv", "# measured in May\n% and June\nx,y\n" + rows(), "columns x, y (header in line 3"),
        ("a.csv", "name of the file\nx,y\n" + rows(), "columns x, y (header of 2 lines"),
        ("a.csv", "x,y,\n" + rows().replace("\n", ",\n"), "columns x, y (header in line 1"),
        ("a.csv", '"x","y"\n' + rows(), "columns x, y"),
    ],
)
def test_what_stands_between_the_cells_is_found(tmp_path, name, content, note):
    (tmp_path / name).write_text(content)
    table = read_table(tmp_path / name)
    np.testing.assert_array_equal(table.x, X)
    assert table.note.startswith("4 points, ")
    assert note in table.note


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_encodings(tmp_path, encoding):
    text = "größe,y\n" + rows()
    content = text.encode(encoding) if encoding != "utf-16-le" else b"\xff\xfe" + text.encode(encoding)
    (tmp_path / "a.csv").write_bytes(content)
    table = read_table(tmp_path / "a.csv")
    np.testing.assert_array_equal(table.x, X)
    assert "größe" in table.note


def test_compressed_text_archives_and_standard_input(tmp_path, monkeypatch):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(rows().encode()))
    np.testing.assert_array_equal(read_table(tmp_path / "a.csv.gz").x, X)
    assert load_points(tmp_path / "a.csv.gz").name == "a"
    np.savez(tmp_path / "a.npz", mine=X)
    assert read_table(tmp_path / "a.npz").note == "4 points of 2 columns, array mine"
    np.testing.assert_array_equal(read_table(tmp_path / "a.npz").x, X)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(rows("\t").encode())))
    target = load_points("-")
    np.testing.assert_array_equal(target.x, points(X).x)
    assert target.name == "standard-input"


@pytest.mark.parametrize("name", ["index", "", "Unnamed: 0", "ID"])
@pytest.mark.parametrize("start", [0, 1])
def test_a_named_index_is_left_out_and_labels_in_words_are(tmp_path, name, start):
    lines = [f"{name},x,y,kind"] + [f"{i + start},{a},{b},{'ab'[i % 2]}" for i, (a, b) in enumerate(X.tolist())]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    table = read_table(tmp_path / "a.csv")
    np.testing.assert_array_equal(table.x, X)
    assert "columns x, y (" in table.note
    assert "left out: kind (text), " in table.note
    assert "(counts the lines)" in table.note


def test_columns_by_name_and_by_number(tmp_path):
    (tmp_path / "a.csv").write_text("x,y,z\n1,2,3\n4,5,6\n7,8,10\n")
    asked = {"z,x": [[3, 1], [6, 4], [10, 7]], "2": [[2], [5], [8]], "1, z": [[1, 3], [4, 6], [7, 10]]}
    for columns, expected in asked.items():
        np.testing.assert_array_equal(read_table(tmp_path / "a.csv", columns=columns).x, expected)
    np.save(tmp_path / "a.npy", X)
    np.testing.assert_array_equal(read_table(tmp_path / "a.npy", columns="2").x, X[:, 1:])
    wrong = {"w": "columns has 'w'; expected names or numbers of x, y, z", "x,1": "with a column twice"}
    for columns, message in wrong.items():
        with pytest.raises(ValueError, match=re.escape(message)):
            read_table(tmp_path / "a.csv", columns=columns)


DOUBTS = {
    "an index without a name": (
        rows(x=np.column_stack([np.arange(4.0), X])),
        "column 1 counts the lines: it may be an index; say --columns 2,3 to leave it out, or --columns 1,2,3 to keep",
        {"columns": "2,3"},
        X,
    ),
    "a label in numbers": (
        rows(x=np.column_stack([np.arange(30) + 0.25, np.arange(30) % 3])),
        "column 2 has only the whole numbers 0, 1, 2: it may be a label; say --columns 1 to leave it out",
        {"columns": "1"},
        np.arange(30)[:, None] + 0.25,
    ),
    "decimal commas with blanks": (
        rows(" ", ",", x=X + 0.125),
        "its commas may be decimal marks, or stand between cells; say --delimiter blank",
        {"delimiter": "blank"},
        X + 0.125,
    ),
    "one column of decimal commas below a name": (
        "x\n0,13\n-0,9\n+2,5\n",
        "the header in line 1 has 1 cell, the lines below it have 2: their commas may be decimal marks",
        {"delimiter": "blank"},
        np.array([[0.13], [-0.9], [2.5]]),
    ),
    "two columns below a title": (
        "points\n0,13\n-1,9\n",
        "say --delimiter blank for the first, --delimiter comma for the second",
        {"delimiter": "comma"},
        np.array([[0.0, 13.0], [-1.0, 9.0]]),
    ),
}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_what_is_ambiguous_is_refused_with_what_to_say_and_that_is_taken(tmp_path, doubt):
    content, message, answer, x = DOUBTS[doubt]
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(ValueError, match=re.escape(message)):
        read_table(tmp_path / "a.csv")
    np.testing.assert_allclose(read_table(tmp_path / "a.csv", **answer).x, x, rtol=1e-5)


def test_a_title_above_numbers_with_points_leaves_no_doubt(tmp_path):
    (tmp_path / "a.csv").write_text("points\n0.5,13\n-1,9\n")
    np.testing.assert_array_equal(read_table(tmp_path / "a.csv").x, [[0.5, 13], [-1, 9]])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"\x81\x82", "it is neither UTF-8 nor UTF-16 text"),
        ("a.csv.gz", b"no", "a.csv.gz"),
        ("a.npz", b"no", "it is no .npz archive"),
        ("a.xlsx", b"", "has suffix '.xlsx'; expected .npy"),
        ("a.csv", b"1,2\n3,4\n5,6,7\n", "line 3 has 3 cells; expected 2 as in most lines"),
        ("a.csv", b"x,y\n1,2\n3,?\n", "line 3 has the cell '?'; expected a number in column y"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(message)):
        read_table(tmp_path / name)


def test_an_archive_of_two_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", first=X, second=X)
    with pytest.raises(ValueError, match="it has the arrays first, second; expected a single one"):
        read_table(tmp_path / "a.npz")


@given(st.integers(0, 2**32 - 1), st.integers(3, 8), st.integers(2, 4), st.sampled_from([",", ";", "\t", " "]))
def test_every_finite_number_comes_back(seed, n, d, mark):
    x = np.random.default_rng(seed).standard_normal((n, d)) * 10.0 ** np.arange(d)
    text = "".join(mark.join(map(repr, row)) + "\n" for row in x.tolist())
    old, sys.stdin = sys.stdin, SimpleNamespace(buffer=io.BytesIO(text.encode()))
    try:
        np.testing.assert_array_equal(read_table("-").x, x)
    finally:
        sys.stdin = old


def test_columns_of_different_scale_get_a_word_and_can_be_standardised(tmp_path):
    x = np.random.default_rng(0).standard_normal((200, 3)) * [1.0, 1000.0, 0.0] + [0.0, 5.0, 7.0]
    target = points(x)
    assert "the standard deviations of the columns differ by a factor of 964; " in scale_note(target)
    own = points(x, standardize=True)
    assert scale_note(own) is None
    np.testing.assert_allclose(np.square(own.x).mean(axis=0), [1.0, 1.0, 0.0], rtol=1e-12)
    np.testing.assert_allclose(np.sort(own.to_user_units(np.vstack((own.x, own.held_out))), axis=0), np.sort(x, axis=0))
    assert scale_note(points(x[:, :1])) is None
