# A volume that stops half way.
set -- "$1" "$2" $(ls "$1" | head -n 1)  # $3: the name of one case
cp "$1"/*.nii.gz "$2"/
head -c 900 "$1/$3" > "$2/$3"
