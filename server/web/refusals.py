"""Turns what is raised into answers: {"code", "message"} for programs, a page with the sentence for people."""

import http
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from server import errors
from server.web.rendering import sentence
from server.web.security import SAFE_METHODS

# By the base where a class has none of its own: StaleToken is a Conflict.
STATUS: dict[type[errors.Refused], int] = {
    errors.NotSignedIn: 401,
    errors.NotAllowed: 403,
    errors.Closed: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.LengthRequired: 411,
    errors.TooLarge: 413,
    errors.Invalid: 422,
    errors.OverQuota: 429,
    errors.NoRoom: 507,
}
HTTP_SENTENCES = {
    404: ("E-NOT-FOUND", "There is no such page here. It may have moved, or the address has a slip in it."),
    405: ("E-METHOD", "This address does not take requests of that kind."),
    413: ("E-TOO-LARGE", "The request is larger than anything that is read here."),
}
FAULT = ("E-FAULT", "Something went wrong on our side. It was recorded; please try again in a moment.")


def status_of(refusal: errors.Refused) -> int:
    """HTTP status of a refusal."""
    return next((status for kind, status in STATUS.items() if isinstance(refusal, kind)), 400)


def install(app: FastAPI) -> None:
    """Answer refusals, wrong requests and unknown addresses alike."""
    app.add_exception_handler(errors.Refused, refused)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, unknown)


def refused(request: Request, error: Exception) -> Response:
    """Somebody asked for what cannot be granted."""
    if not isinstance(error, errors.Refused):
        raise error
    if isinstance(error, errors.NotSignedIn) and is_page(request) and request.method in SAFE_METHODS:
        return RedirectResponse(f"/login?{urlencode({'next': request.url.path})}", 303)
    return answer(request, status_of(error), error.code, error.message)


def malformed(request: Request, error: Exception) -> Response:
    """A field is missing or has a value that cannot be."""
    if not isinstance(error, RequestValidationError):
        raise error
    if any(complaint["loc"][0] == "path" for complaint in error.errors()):
        return answer(request, 404, *HTTP_SENTENCES[404])
    complaints = "; ".join(
        f"{'.'.join(str(part) for part in complaint['loc'][1:]) or complaint['loc'][0]}: {complaint['msg']}"
        for complaint in error.errors()
    )
    return answer(request, 422, "E-INVALID", f"The request cannot be read: {complaints}.")


def unknown(request: Request, error: Exception) -> Response:
    """No route, or one that does not take this method or this much."""
    if not isinstance(error, HTTPException):
        raise error
    code, sentence = HTTP_SENTENCES.get(error.status_code, (f"E-HTTP-{error.status_code}", error.detail))
    return answer(request, error.status_code, code, sentence)


def answer(request: Request, status: int, code: str, message: str) -> Response:
    """Say it in the way that who asks can read."""
    message = sentence(message)
    if not is_page(request) or wants_json(request):
        headers = {"www-authenticate": "Bearer"} if status == http.HTTPStatus.UNAUTHORIZED else None
        return JSONResponse({"code": code, "message": message}, status, headers)
    title = http.HTTPStatus(status).phrase
    pages = request.app.state.site.pages
    response: Response = pages.render(request, "error.html", status=status, title=title, code=code, message=message)
    return response


def is_page(request: Request) -> bool:
    """The address is one that people open."""
    return not request.url.path.startswith("/api/")


def wants_json(request: Request) -> bool:
    """Our own script asks so."""
    return request.headers.get("accept", "").startswith("application/json")
