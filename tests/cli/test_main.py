"""The command line loads what it calls and nothing else."""

import subprocess
import sys

import pytest

from cli import console
from cli.main import COMMANDS


def mood(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "cli", *arguments], check=False, capture_output=True, text=True)


def test_help_lists_every_command() -> None:
    shown = mood("--help").stdout
    assert all(name in shown for name in COMMANDS)


def test_the_list_of_commands_loads_neither_server_nor_numpy() -> None:
    code = (
        "import sys; from cli.main import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'fastapi', 'numpy', 'docker', 'sqlalchemy'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", ["submit", "login", "cancel", "leaderboard", "status"])
def test_participants_commands_need_the_base_alone(name: str) -> None:
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'numpy', 'nibabel', 'fastapi', 'docker', 'sqlalchemy', 'celery', 'yaml'}:\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        f"from cli.main import app; app([{name!r}, '--help'])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_a_missing_extra_is_named() -> None:
    code = (
        "import sys\n"
        "sys.modules['docker'] = None\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'celery': raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from cli.main import app; app(['worker'])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "mood-challenge[worker]" in done.stderr


def test_an_unknown_command_is_named() -> None:
    done = mood("subimt")
    assert done.returncode == 2
    assert "subimt" in done.stderr


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_durations_read_as_people_say_them(seconds: float, said: str) -> None:
    assert console.duration(seconds) == said


@pytest.mark.parametrize(("count", "said"), [(512, "512 B"), (3_400_000, "3.4 MB"), (5_000_000_000, "5.0 GB")])
def test_sizes_read_as_people_say_them(count: int, said: str) -> None:
    assert console.size(count) == said
