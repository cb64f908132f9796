"""The one shape that an error has in every API answer."""

from typing import Any

from pydantic import BaseModel, Field


class Error(BaseModel):
    """Why a request was not granted."""

    code: str = Field(description="stable, for programs: E-…", examples=["E-QUOTA"])
    message: str = Field(description="for people: what is wrong and what to do")


ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"model": Error, "description": "no token, or one that is not valid"},
    403: {"model": Error, "description": "not yours to do, or not now"},
    404: {"model": Error, "description": "not here, or another team's"},
    409: {"model": Error, "description": "not in a state for this"},
    422: {"model": Error, "description": "a value that cannot be used"},
    429: {"model": Error, "description": "no tries left, or too many attempts"},
}
