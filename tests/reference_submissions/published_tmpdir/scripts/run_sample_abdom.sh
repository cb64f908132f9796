#!/bin/bash

input_dir=$1
output_dir=$2

python /workspace/pred_tmpdir.py -i "$input_dir" -o "$output_dir" -mode sample
