"""What makes the site smaller changes nothing that is seen: the points of drawings, the text of code and formulas."""

import re

import numpy as np
import pytest

pytest.importorskip("PIL")
import site_size


def numbers(text):
    """Return the numbers in a text."""
    return np.array([float(x) for x in re.findall(r"-?\d+\.?\d*", text)])


def test_a_drawing_keeps_its_points_to_a_hundredth_and_every_other_number(tmp_path):
    path = tmp_path / "drawing.svg"
    points, rest = "M 1.234567 -0.98765 L 300.5 7", '<g id="a1.23456" transform="scale(0.015625)">'
    path.write_text(f'<svg>\n  {rest}\n   <path d="{points}"/>\n</g></svg>\n', encoding="utf-8")
    site_size.shrink_drawing(path)
    found = path.read_text(encoding="utf-8")
    (drawn,) = re.findall(r'<path d="([^"]*)"', found)
    assert rest in found
    assert len(drawn) < len(points)
    np.testing.assert_allclose(numbers(drawn), numbers(points), rtol=0, atol=0.01)


def test_code_and_formulas_keep_their_text():
    code = '<span class="k">def</span><span class="w"> </span><span class="nf">f</span><span class="p">(</span>'
    formula = '<math xmlns="http://www.w3.org/1998/Math/MathML"><semantics><mrow><mi>σ</mi></mrow><annotation '
    formula += 'encoding="application/x-tex">\\sigma\n</annotation></semantics></math><span class="n">x</span>'
    context = {"body": code + formula}
    site_size.lighten(None, "", "", context, None)
    assert context["body"] == (
        '<span class="k">def</span> <span class="nf">f</span>(<math><mrow><mi>σ</mi></mrow></math>x'
    )


def test_a_picture_keeps_its_size_and_its_colours(tmp_path):
    from PIL import Image

    path = tmp_path / "picture.png"
    picture = np.full((40, 50, 3), 255, dtype=np.uint8)
    picture[5:20, 5:30] = [31, 119, 180]
    Image.fromarray(picture).save(path)
    site_size.shrink_picture(path)
    with Image.open(path) as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), picture)
