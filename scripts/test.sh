#!/usr/bin/env bash
# Runs the tests. All of them: nothing may be skipped for want of a service. Some of them: as they come.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$*" = tests ]; then
  make --no-print-directory lint
  MOOD_TESTS_REQUIRE=all .venv/bin/pytest tests
else
  .venv/bin/pytest "$@"
fi
