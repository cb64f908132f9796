#!/bin/sh
set -eu
exec python /workspace/predict.py pixel brain "$1" "$2"
