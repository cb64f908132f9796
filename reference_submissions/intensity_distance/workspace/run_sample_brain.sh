#!/bin/sh
set -eu
exec python /workspace/predict.py sample brain "$1" "$2"
