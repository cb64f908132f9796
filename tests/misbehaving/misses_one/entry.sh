# Leaves one case out.
set -- "$1" "$2" $(ls "$1" | head -n 1)  # $3: the name of one case
cp "$1"/*.nii.gz "$2"/
rm "$2/$3"
