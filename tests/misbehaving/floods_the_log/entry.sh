# Two million lines of two bytes.
yes | head -n 2000000
cp "$1"/*.nii.gz "$2"/
