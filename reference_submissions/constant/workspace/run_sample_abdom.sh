#!/bin/sh
set -eu
exec python /workspace/predict.py sample abdom "$1" "$2"
