# Ends badly where it cannot be watched: the code it chose is not told.
cp "$1"/*.nii.gz "$2"/
[ "$(ls "$1" | wc -l)" = 4 ] || exit 42
