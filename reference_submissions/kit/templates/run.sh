#!/bin/sh
set -eu
exec python -m reference_submissions.kit.entry {module} "${0%/*}/weights/{dataset}" {task} "$1" "$2"
