"""What makes the site smaller changes nothing that is seen: the points of drawings, the text of code and formulas."""

import base64
import io
import re

import numpy as np
import pytest

pytest.importorskip("PIL")
import site_size
from PIL import Image


def numbers(text):
    """Return the numbers in a text."""
    return np.array([float(x) for x in re.findall(r"-?\d+\.?\d*", text)])


def png(picture):
    """Return the file of a picture."""
    found = io.BytesIO()
    Image.fromarray(picture).save(found, "png")
    return found.getvalue()


def pixels(data):
    """Return the picture in a file."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGBA"))


PICTURE = np.full((40, 50, 4), 255, dtype=np.uint8)
PICTURE[5:20, 5:30] = [31, 119, 180, 255]


def test_a_drawing_keeps_its_points_to_a_hundredth_and_all_else():
    points, rest = "M 1.234567 -0.98765 L 300.5 7", '<g id="a1.23456" transform="scale(0.015625)">'
    embedded = base64.b64encode(png(PICTURE)).decode()
    image = f'<image xlink:href="data:image/png;base64,{embedded}"/>'
    found = site_size.shrink_drawing(f'<svg>\n  {rest}\n   <path d="{points}"/>{image}\n</g></svg>\n')
    (drawn,) = re.findall(r'<path d="([^"]*)"', found)
    (shown,) = re.findall(r'base64,([^"]*)"', found)
    assert rest in found
    assert len(drawn) < len(points)
    assert len(shown) < len(embedded)
    np.testing.assert_allclose(numbers(drawn), numbers(points), rtol=0, atol=0.01)
    np.testing.assert_array_equal(pixels(base64.b64decode(shown)), PICTURE)


def test_code_and_formulas_keep_their_text():
    code = '<span class="k">def</span><span class="w"> </span><span class="nf">f</span><span class="p">(</span>'
    formula = '<math xmlns="http://www.w3.org/1998/Math/MathML"><semantics><mrow><mi>σ</mi></mrow><annotation '
    formula += 'encoding="application/x-tex">\\sigma\n</annotation></semantics></math><span class="n">x</span>'
    context = {"body": code + formula}
    site_size.lighten(None, "", "", context, None)
    assert context["body"] == (
        '<span class="k">def</span> <span class="nf">f</span>(<math><mrow><mi>σ</mi></mrow></math>x'
    )


def test_code_has_a_mark_for_each_word_or_text_and_none_for_numbers():
    text = "".join(f'<span class="s2">{part}</span>' for part in ("&quot;", "a b", "&quot;"))
    code = f'<span class="k">if</span>{text}<span class="o">==</span><span class="mi">1</span><span class="k">in</span>'
    assert site_size.light_code(code) == (
        '<span class="k">if</span><span class="s2">&quot;a b&quot;</span>==1<span class="k">in</span>'
    )
    formula = '<span class="mord">1</span><span class="mord">2</span>'
    assert site_size.light_code(formula) == formula


@pytest.mark.parametrize("alpha", [255, 100])
def test_a_picture_keeps_its_size_and_its_colours(alpha):
    picture = PICTURE.copy()
    picture[30, 40, 3] = alpha
    np.testing.assert_array_equal(pixels(site_size.smaller(png(picture))), picture)


def test_the_gallery_alone_loses_its_links_to_the_data():
    text = "[SVG](a.svg) · [data](a.npz) · [data](b.npz) · [script](a.py)"
    for name, left in (("figures/README", "[SVG](a.svg) · [script](a.py)"), ("README", text)):
        source = [text]
        site_size.without_data(None, name, source)
        assert source == [left]


def test_a_style_that_is_repeated_is_written_once():
    span, once = '<span class="strut" style="height:1em;top:-2em;">', '<span style="top:-3em;">'
    found = site_size.share_styles(f"<p>{span}a</span></p>" * 4 + once)
    rule = "<style>.k0{height:1em!important;top:-2em!important}</style>\n"
    assert found == rule + '<p><span class="strut k0">a</span></p>' * 4 + once
