"""HTML is read as people see it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.mail.plain import plain


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a</p><p>b</p>", "a\n\nb\n"),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("a<br>b<br><br>c", "a\nb\n\nc"),
        ("  a \n  <b>b</b>&nbsp;&amp; c", "a b & c"),
        ("<head><title>t</title><style>s</style></head><body>a<script>x('<p>')</script></body>", "a"),
        ("<head><body>a", "a"),
        ("<ul><li>a<li>b</ul>", "- a\n- b"),
        ("<table><tr><td>a<td>b<tr><td>c</table>", "a b\nc"),
        ("<blockquote>a<div>b</div></blockquote>c", "> a\n> b\nc"),
        ("</blockquote></script>a", "a"),
        ("a<!-- b", "a"),
        ("a<![if !x]>b<![endif]><![CDATA[c]]>d<![<![", "abd"),
        ("a &lt; b &am", "a < b &am"),
        ("", ""),
    ],
)
def test_html_as_text(html: str, text: str) -> None:
    assert plain(html) == text


@given(st.text(alphabet="<>/!-[]&;ab='\" ?#", max_size=200) | st.text(max_size=200))
def test_anything_is_html(html: str) -> None:
    assert isinstance(plain(html), str)
