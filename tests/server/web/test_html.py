"""What every page owes to those who do not use a mouse, or do not see: held for all pages at once."""

from html.parser import HTMLParser

import pytest

from server.protocol import Queue, Task
from tests.server.web.conftest import Browser, People, Play
from tests.server.world import World


class Reader(HTMLParser):
    """Collects what the rules speak of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]


def check(page: str, path: str) -> None:
    found = Reader(page)
    assert len(found.all("h1")) == 1, f"{path}: not one h1"
    assert "lang" in found.all("html")[0]
    labelled = {label["for"] for label in found.all("label")}
    for field in found.all("input", "select", "textarea"):
        if field.get("type") != "hidden":
            assert field.get("id") in labelled, f"{path}: field {field} has no label"
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids)), f"{path}: an id twice"
    for progress in found.all("progress"):
        assert progress.get("aria-label"), f"{path}: a progress bar without a name"
    for attributes in (attributes for _, attributes in found.tags):
        assert not {"style", "onclick", "onsubmit"} & attributes.keys(), f"{path}: breaks the content policy"
        for name in ("src", "href", "action"):
            value = attributes.get(name) or ""
            assert not value.startswith(("http", "//")), f"{path}: leads elsewhere: {value}"
    for script in found.all("script"):
        assert "src" in script, f"{path}: an inline script"


@pytest.fixture
def busy(world: World, play: Play) -> str:
    """Something in each state; gives a running submission of the team."""
    play.scored()
    world.submit(task=Task.PIXEL, queue=Queue.TOY, archive=b"x" * 2000)
    submission = world.submit(task=Task.PIXEL)
    play.toy(world.claim())
    return submission


def pages_of(browser: Browser, paths: list[str]) -> None:
    for path in paths:
        answer = browser.get(path)
        assert answer.status_code == 200, path
        check(answer.text, path)


def test_pages_of_a_visitor(people: People) -> None:
    pages_of(people.visitor(), ["/", "/login", "/register", "/api", "/leaderboard/sample", "/leaderboard/pixel"])


def test_pages_of_a_team(people: People, busy: str) -> None:
    choices = [f"/submit?task={task}&queue={queue}" for task in Task for queue in Queue]
    pages_of(people.browser(), ["/submissions", f"/submissions/{busy}", "/tokens", *choices])


def test_pages_of_an_organizer(people: People, busy: str) -> None:
    boards = ["/leaderboard/sample", "/leaderboard/pixel"]
    others = ["/leaderboard/sample?scheme=test_based", "/leaderboard/sample?metric=dataset_auroc&sort=mean"]
    own = ["/organizer", "/organizer/teams", "/organizer/rescoring"]
    pages_of(people.organizer(), [*own, f"/submissions/{busy}", *boards, *others])


def test_pages_while_there_is_nothing_to_show(people: People) -> None:
    browser = people.browser()
    assert "You have not handed in anything yet" in browser.get("/submissions").text
    assert "You have no tokens" in browser.get("/tokens").text
    organizer = people.organizer().get("/organizer").text
    assert "No team has handed in anything yet" in organizer
    assert "No worker has reported yet" in organizer
    assert "is not published yet" in browser.get("/leaderboard/sample").text
    pages_of(browser, ["/submissions", "/tokens", "/leaderboard/sample"])


def test_error_pages(people: People) -> None:
    check(people.visitor().get("/nothing-here").text, "/nothing-here")
