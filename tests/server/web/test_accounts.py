from datetime import timedelta

from server.web.app import GUESSES, RENAMINGS
from server.web.deps import SESSION_COOKIE
from tests.server.web.conftest import URL, Browser, People
from tests.server.world import PASSWORD, World

FORM = {"team_name": "New", "email": "new@example.org", "password": PASSWORD}


def test_registering_makes_a_team_and_signs_it_in(people: People) -> None:
    browser = people.visitor()
    answer = browser.post("/register", data=FORM)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Team New" in browser.get("/submissions").text


def test_session_cookie_is_kept_from_scripts_and_other_sites(people: People) -> None:
    cookie = people.visitor().post("/register", data=FORM).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_registering_with_a_short_password_shows_the_form_again_with_what_was_typed(people: People) -> None:
    answer = people.visitor().post("/register", data=FORM | {"password": "short"})
    assert answer.status_code == 422
    assert 'value="new@example.org"' in answer.text
    assert "10 to 1000 characters" in answer.text


def test_registering_a_taken_team_name_is_refused(people: People) -> None:
    people.browser("New")
    assert people.visitor().post("/register", data=FORM | {"email": "x@example.org"}).status_code == 409


def test_signing_in_leads_where_the_visitor_wanted_to_go(people: People) -> None:
    people.browser("Team")
    browser = people.visitor()
    wanted = browser.get("/submissions?offset=0")
    assert (wanted.status_code, wanted.headers["location"]) == (303, "/login?next=%2Fsubmissions")
    fields = {"email": "team@example.org", "password": PASSWORD, "next": "/submissions"}
    assert browser.post("/login", data=fields).headers["location"] == "/submissions"


def test_signing_in_leads_to_no_other_site(people: People) -> None:
    people.browser("Team")
    for elsewhere in ("//evil.example", "https://evil.example", "/\\evil.example"):
        fields = {"email": "team@example.org", "password": PASSWORD, "next": elsewhere}
        assert people.visitor().post("/login", data=fields).headers["location"] == "/"


def test_wrong_password_and_unknown_address_are_answered_alike(people: People) -> None:
    people.browser("Team")
    wrong = people.visitor().post("/login", data={"email": "team@example.org", "password": "wrong password"})
    unknown = people.visitor().post("/login", data={"email": "nobody@example.org", "password": "wrong password"})
    assert wrong.status_code == unknown.status_code == 401
    assert "is not right" in wrong.text
    assert "is not right" in unknown.text


def test_guessing_is_stopped_for_a_while(people: People, world: World) -> None:
    people.browser("Team")
    guess = {"email": "team@example.org", "password": "wrong password"}
    right = guess | {"password": PASSWORD}
    visitor = people.visitor()
    for _ in range(GUESSES):
        assert visitor.post("/login", data=guess).status_code == 401
    assert visitor.post("/login", data=right).status_code == 429
    assert visitor.post("/api/v1/tokens", json=right | {"name": "x"}).json()["code"] == "E-RATE"
    world.now += timedelta(minutes=11)
    assert visitor.post("/login", data=right).status_code == 303


def test_signing_out_ends_the_session_on_the_server(people: People) -> None:
    browser = people.browser()
    secret = browser.cookies[SESSION_COOKIE]
    assert browser.fill("/logout").status_code == 303
    browser.cookies.set(SESSION_COOKIE, secret)
    assert browser.get("/submissions").headers["location"].startswith("/login")


def test_token_is_shown_once_and_opens_the_api_until_it_is_revoked(people: People) -> None:
    browser = people.browser()
    page = browser.fill("/tokens", name="lab server").text
    secret = next(word for word in page.replace("<", " ").split() if word.startswith("code>mood_"))[5:]
    assert secret not in browser.get("/tokens").text
    program = Browser(people.app)
    headers = {"authorization": f"Bearer {secret}"}
    assert program.get("/api/v1/me", headers=headers).json()["team"] == "Team"
    revoke = next(part for part in page.split('"') if part.endswith("/revoke"))
    assert browser.fill(revoke).status_code == 303
    assert program.get("/api/v1/me", headers=headers).status_code == 401


def test_token_of_another_account_cannot_be_revoked(people: People) -> None:
    owner, stranger = people.browser("Owner"), people.browser("Stranger")
    page = owner.fill("/tokens", name="mine").text
    revoke = next(part for part in page.split('"') if part.endswith("/revoke"))
    assert stranger.fill(revoke).status_code == 404
    assert "mine" in owner.get("/tokens").text


def test_registering_by_api_and_fetching_a_token(people: People) -> None:
    program = people.visitor()
    assert program.post("/api/v1/accounts", json=FORM).json() == {
        "email": "new@example.org",
        "team": "New",
        "organizer": False,
    }
    token = program.post("/api/v1/tokens", json=FORM | {"name": "x"}).json()["token"]
    me = program.get(f"{URL}/api/v1/me", headers={"authorization": f"Bearer {token}"}).json()
    assert me == {"email": "new@example.org", "team": "New", "organizer": False}


def test_a_team_changes_its_name_a_few_times_an_hour_alone(people: People, world: World) -> None:
    browser, other = people.browser(), people.browser("Other")
    for number in range(RENAMINGS):
        assert browser.fill("/team/name", anonymous=str(number % 2 == 0)).status_code == 303
    assert browser.fill("/team/name", anonymous="true").status_code == 429
    assert other.fill("/team/name", anonymous="true").status_code == 303
    world.later(hours=1)
    assert browser.fill("/team/name", anonymous="true").status_code == 303


def test_an_organizer_changes_its_teams_name_as_often_as_it_wants(people: People, world: World) -> None:
    browser = people.browser()
    with world.db.write() as session:
        world.account(session).organizer = True
    for number in range(RENAMINGS + 1):
        assert browser.fill("/team/name", anonymous=str(number % 2 == 0)).status_code == 303
