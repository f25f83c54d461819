"""That the watch sees what it is there for."""

from pathlib import Path

import pytest

from browser.conftest import Visitor

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('<img src="https://example.invalid/a.png" alt="">', r"request to https://example\.invalid/a\.png"),
        ('<script>fetch("http://127.0.0.1:9/").catch(() => 0)</script>', r"request to http://127\.0\.0\.1:9/"),
        ("<script>null.length</script>", "script: .*null"),
        ("<script>Promise.reject(new Error('late'))</script>", "script: .*late"),
        ("<script>console.error('wrong')</script>", "console: wrong"),
        (
            """<meta http-equiv="Content-Security-Policy" content="script-src 'none'"><script>1</script>""",
            "console: .*Content Security Policy",
        ),
    ],
)
def test_a_fault_is_seen(visit: Visitor, tmp_path: Path, content: str, fault: str) -> None:
    page = tmp_path / "page.html"
    page.write_text(f"<!DOCTYPE html><title>page</title>{content}")
    visit.open(page.as_uri()).wait_for_timeout(50)
    with pytest.raises(AssertionError, match=r"page|console|script|request"):
        visit.watch.check()
    # The request that is refused is told by the console as well.
    for each in (fault, *(["console: .*"] if fault.startswith("request") else [])):
        visit.watch.expect(each)


def test_a_page_without_a_fault_passes_and_a_fault_that_does_not_come_is_told(visit: Visitor, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<!DOCTYPE html><title>page</title><img src='data:image/gif;base64,R0lGODlhAQABAAAAACw=' alt=''>")
    visit.open(page.as_uri())
    visit.watch.check()
    visit.watch.expect("console: wrong")
    with pytest.raises(AssertionError, match="console: wrong"):
        visit.watch.check()
    visit.watch.expected.clear()
