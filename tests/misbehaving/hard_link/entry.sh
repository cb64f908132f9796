# One file under the names of two cases.
set -- "$1" "$2" $(ls "$1" | head -n 2)
cp "$1"/*.nii.gz "$2"/
ln -f "$2/$3" "$2/$4"
