#!/bin/sh
set -eu
exec python /workspace/predict.py pixel abdom "$1" "$2"
