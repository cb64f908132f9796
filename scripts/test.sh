#!/usr/bin/env bash
# Runs the tests. All of them: nothing may be skipped for want of a service. Some of them: as they come.
set -euo pipefail
cd "$(dirname "$0")/.."
# One thread each: the arrays of tests are small, and threads that wait for each other on a busy machine take minutes.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
if [ "$*" = tests ]; then
  make --no-print-directory lint
  MOOD_TESTS_REQUIRE=all .venv/bin/python -m pytest -p tests.sharing -n 2 tests
else
  .venv/bin/pytest "$@"
fi
