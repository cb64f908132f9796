from server.web.prose import to_html


def test_markup_of_an_organizer_is_text() -> None:
    assert to_html("a <script>alert(1)</script> & b") == "<p>a &lt;script&gt;alert(1)&lt;/script&gt; &amp; b</p>"


def test_paragraphs_lists_and_headings() -> None:
    text = "# Who\nAnybody.\nReally.\n\n- one\n  more of one\n- `two`\n\n1. **first**"
    assert to_html(text).split("\n") == [
        "<h3>Who</h3>",
        "<p>Anybody. Really.</p>",
        "<ul><li>one more of one</li><li><code>two</code></li></ul>",
        "<ol><li><strong>first</strong></li></ol>",
    ]


def test_links_lead_to_web_addresses_alone() -> None:
    assert to_html("[a](https://x.org/?a=1&b=2)") == (
        '<p><a href="https://x.org/?a=1&amp;b=2" rel="noopener">a</a></p>'
    )
    assert "<a" not in to_html("[a](javascript:alert(1))")
    assert "onclick" not in to_html('[a](https://x.org/"onclick="alert(1))').replace("&#34;onclick", "")
