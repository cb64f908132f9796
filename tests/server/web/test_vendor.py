"""Scripts of others are what their README says, and their licences are with them."""

import hashlib
import re

from server.web.rendering import STATIC

VENDOR = STATIC / "vendor"


def test_vendored_scripts_are_those_that_the_readme_names() -> None:
    readme = (VENDOR / "README.md").read_text(encoding="utf-8")
    named = dict(re.findall(r"^\| `([\w.-]+\.js)` .*\| `([0-9a-f]{64})` \|$", readme, flags=re.MULTILINE))
    assert named == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.glob("*.js")}


def test_every_vendored_script_has_its_licence() -> None:
    names = {path.name.removesuffix(".js").removesuffix(".min") for path in VENDOR.glob("*.js")}
    assert {path.suffix.removeprefix(".") for path in VENDOR.glob("LICENSE.*")} == names
