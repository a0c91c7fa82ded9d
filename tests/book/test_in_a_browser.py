"""The built book in a browser: links, pictures, formulas, raw markup, phone width, search."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlparse

import pytest
from playwright.sync_api import Page

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}

# What a page shows where markup was not understood: fences, roles, directives, the boxes of docutils.
RAW = re.compile(
    r":::|```|\{(py|doc|ref|math|nb-download|eval-rst|code-cell)[^}]*\}|^\.\. \w+::|\$\$|:(py|class|func|ref|math):",
    re.M,
)

LOOK = """() => ({
    links: [...document.querySelectorAll('a[href]')].map(a => a.href),
    ids: [...document.querySelectorAll('[id]')].map(e => e.id),
    images: [...document.querySelectorAll('img')].filter(i => !i.complete || i.naturalWidth == 0).map(i => i.src),
    unrendered: [...document.querySelectorAll('.math')].filter(m => !m.querySelector('mjx-container'))
        .map(m => m.innerText),
    wrong: [...document.querySelectorAll('mjx-merror, .system-message, .problematic')]
        .map(m => m.outerHTML.slice(0, 200)),
    text: (() => {
        const main = (document.querySelector('[role=main]') || document.body).cloneNode(true);
        main.querySelectorAll('pre, code, script, style, mjx-container').forEach(e => e.remove());
        return main.textContent;
    })(),
})"""
WIDTH = """() => [document.documentElement.scrollWidth, window.innerWidth]"""
RENDERED = "() => window.MathJax && MathJax.startup ? MathJax.startup.promise.then(() => true) : true"


def faults(page: Page, address: str, paths: list[str]) -> Iterator[str]:
    """Everything that is wrong with pages of a site, as sentences."""
    noise: list[str] = []
    page.on(
        "console", lambda message: message.type == "error" and "404" not in message.text and noise.append(message.text)
    )
    page.on("pageerror", lambda error: noise.append(str(error)))
    page.on(
        "request",
        lambda request: request.url.startswith((address, "data:", "blob:")) or noise.append(f"asks for {request.url}"),
    )
    page.on(
        "response",
        lambda response: (
            response.status >= 400
            and "favicon" not in response.url
            and noise.append(f"{response.status}: {response.url}")
        ),
    )
    pages: dict[str, set[str]] = {}
    links: list[tuple[str, str]] = []
    for path in paths:
        page.set_viewport_size(DESK)
        page.goto(f"{address}/{path}", wait_until="load")
        page.evaluate(RENDERED)
        found = page.evaluate(LOOK)
        pages[path] = set(found["ids"])
        links += [(path, link) for link in found["links"]]
        yield from (f"{path}: the picture {image} is missing" for image in found["images"])
        yield from (f"{path}: the formula {math!r} is not rendered" for math in found["unrendered"])
        yield from (f"{path}: an error stands on the page, {wrong}" for wrong in found["wrong"])
        yield from (f"{path}: raw markup, {raw.group()!r}" for raw in RAW.finditer(found["text"]))
        for name, size in (("desktop", DESK), ("phone", PHONE)):
            page.set_viewport_size(size)
            wide, window = page.evaluate(WIDTH)
            if wide > window:
                yield f"{path}: {wide} pixels wide on a {name} of {window}"
        yield from (f"{path}: {words}" for words in noise)
        noise.clear()
    for path, link in links:
        target, anchor = urldefrag(urljoin(f"{address}/{path}", link))
        if target.startswith(address):
            name = unquote(urlparse(target).path).lstrip("/") or "index.html"
            if name in pages:
                if anchor and unquote(anchor) not in pages[name]:
                    yield f"{path}: {name} has no place #{anchor}"
            elif page.request.head(target).status != 200:
                yield f"{path}: the link to {name} is broken"


def every_page(site: Path) -> list[str]:
    return sorted(str(found.relative_to(site)) for found in site.rglob("*.html") if "_static" not in found.parts)


@pytest.fixture(scope="session")
def address(serve, site):
    return serve(site)


def test_every_page_is_whole_at_desktop_and_phone_width(page, address, site):
    paths = every_page(site)
    assert {"index.html", "search.html", "genindex.html"} <= set(paths)
    assert len(paths) > 15
    assert list(faults(page, address, paths)) == []


WHOLE = "<!doctype html><html><body><div role='main'><h1 id='top'>A page</h1>{}</div></body></html>"


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("<p>nothing wrong, <a href='#top'>up</a></p>", None),
        ("<a href='gone.html'>link</a>", "the link to gone.html is broken"),
        ("<a href='#gone'>link</a>", "has no place #gone"),
        ("<img src='gone.png'>", "the picture"),
        ("<p>:::{note}</p>", "raw markup"),
        ("<p>see {py:func}`gradvar.x`</p>", "raw markup"),
        ("<span class='math'>\\(x\\)</span>", "is not rendered"),
        ("<div class='system-message'>unknown role</div>", "an error stands on the page"),
        ("<div style='width: 900px'>wide</div>", "on a phone"),
        ("<script>throw new Error('broken')</script>", "broken"),
        ("<script src='http://192.0.2.1/x.js' async></script>", "asks for"),
    ],
)
def test_a_fault_is_seen(page, serve, tmp_path, body, word):
    (tmp_path / "index.html").write_text(WHOLE.format(body))
    found = list(faults(page, serve(tmp_path), ["index.html"]))
    if word is None:
        assert found == []
    else:
        assert any(word in fault for fault in found), found


# What people look up, and the folder in which an answer has to be among the first twelve.
QUESTIONS = {
    "parities": "reference/",
    "BatchNorm": "howto/my-model",
    "float32": "howto/my-model",
    "GPU": "howto/my-model",
    "DataFrame": "howto/my-data-set",
    "label noise": "howto/my-data-set",
    "prior": "howto/my-class",
    "cross-entropy": "howto/",
    "unresolved": "howto/unresolved",
    "inconclusive": "howto/",
    "resume": "howto/sweep-on-a-cluster",
    "operator norm": "theory/",
    "gradient alignment": "reference/generated/gradvar.gradient_alignment",
    "saddle": "theory/errata",
}


@pytest.mark.parametrize(("words", "where"), QUESTIONS.items())
def test_search_finds(page, address, words, where):
    page.goto(f"{address}/search.html?q={words}")
    page.wait_for_selector("#search-results li a", timeout=20_000)
    page.wait_for_function("() => /finished|found/i.test(document.querySelector('#search-results').innerText)")
    found = page.eval_on_selector_all("#search-results li a", "links => links.map(a => a.getAttribute('href'))")
    assert any(where in link for link in found[:12]), found[:12]


def test_search_of_nonsense_finds_nothing(page, address):
    page.goto(f"{address}/search.html?q=zyzzyxq")
    page.wait_for_function(
        "() => /did not match|no results/i.test(document.querySelector('#search-results').innerText)"
    )
    assert page.locator("#search-results li a").count() == 0
