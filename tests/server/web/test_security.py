import json
import logging

import pytest
from fastapi import FastAPI

from server.web.security import form_token
from tests.server.web.conftest import URL, People
from tests.server.world import PASSWORD

LOGIN = {"email": "team@example.org", "password": PASSWORD}


@pytest.mark.parametrize("path", ["/", "/nothing-here", "/api/v1/me", "/static/mood.css"])
def test_every_answer_carries_the_headers(people: People, path: str) -> None:
    headers = people.visitor().get(path).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


def test_pages_are_not_kept_and_static_files_are(people: People) -> None:
    assert people.visitor().get("/").headers["cache-control"] == "no-store"
    assert "immutable" in people.visitor().get("/static/mood.css").headers["cache-control"]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": URL, "sec-fetch-site": "cross-site"},
        {"origin": URL, "sec-fetch-site": "same-site"},
        {"origin": "", "referer": "https://evil.example/x"},
        {"origin": ""},
    ],
)
def test_form_of_another_site_is_refused(people: People, headers: dict[str, str]) -> None:
    people.browser("Team")
    assert people.visitor().post("/login", data=LOGIN, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [{"origin": URL}, {"origin": "http://other", "host": "other"}, {"origin": "", "referer": f"{URL}/login"}],
)
def test_form_of_a_page_of_ours_is_taken(people: People, headers: dict[str, str]) -> None:
    people.browser("Team")
    assert people.visitor().post("/login", data=LOGIN, headers=headers).status_code == 303


def test_api_call_that_rides_on_a_cookie_must_come_from_a_page_of_ours(people: People) -> None:
    browser = people.browser()
    path = "/api/v1/submissions/aaaaaaaaaaaa/cancel"
    assert browser.post(path, headers={"origin": "https://evil.example"}).json()["code"] == "E-ORIGIN"
    assert browser.post(path).json()["code"] == "E-NOT-FOUND"


def test_api_call_with_a_token_needs_no_origin(people: People) -> None:
    assert people.client().post("/api/v1/submissions/aaaaaaaaaaaa/cancel").json()["code"] == "E-NOT-FOUND"


def test_form_without_its_sessions_token_is_refused(people: People) -> None:
    browser = people.browser()
    for token in ("", "0" * 64, form_token("s", "another session")):
        assert browser.post("/tokens", data={"name": "x", "form_token": token}).status_code == 403
    assert browser.fill("/tokens", name="x").status_code == 200


def test_fault_is_ours_and_tells_nothing(people: People, app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise RuntimeError("the secret is 42")

    app.add_api_route("/broken", broken)
    app.add_api_route("/api/v1/broken", broken)
    with caplog.at_level(logging.ERROR, "server.web.app"):
        page = people.visitor().get("/broken")
        answer = people.visitor().get("/api/v1/broken")
    assert page.status_code == answer.status_code == 500
    assert "our side" in page.text
    assert answer.json()["code"] == "E-FAULT"
    assert "42" not in page.text + answer.text
    assert "the secret is 42" in caplog.text


def test_body_that_no_form_of_ours_has_is_refused(people: People) -> None:
    answer = people.visitor().post("/login", data={"email": "x" * 1_000_000, "password": "x"})
    assert answer.status_code == 413


def test_unknown_page_and_address_are_answered_for_people_and_for_programs(people: People) -> None:
    page = people.visitor().get("/nothing-here")
    assert page.status_code == 404
    assert "<h1>Not Found</h1>" in page.text
    assert people.visitor().get("/api/v1/nothing").json()["code"] == "E-NOT-FOUND"


def test_openapi_describes_the_errors_of_each_public_route(people: People) -> None:
    document = people.visitor().get("/api/v1/openapi.json").json()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["tags"], path
            (content,) = operation["responses"]["401"]["content"].values()
            assert content["schema"] == {"$ref": "#/components/schemas/Error"}


def test_address_with_a_nul_is_no_page(people: People) -> None:
    assert people.browser("Team").get("/submissions/a%00b").status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [("email", "a\\u0000@example.org"), ("password", "\\ud800 long enough"), ("password", "\\u0000 long enough")],
)
@pytest.mark.parametrize("path", ["/api/v1/tokens", "/api/v1/accounts"])
def test_text_that_no_database_takes_is_the_callers_fault(people: People, path: str, field: str, value: str) -> None:
    body = {"email": "new@example.org", "password": PASSWORD, "name": "x", "team_name": "New"} | {field: "@"}
    content = json.dumps(body).replace('"@"', f'"{value}"')
    answer = people.visitor().post(path, content=content, headers={"content-type": "application/json"})
    assert answer.status_code < 500
