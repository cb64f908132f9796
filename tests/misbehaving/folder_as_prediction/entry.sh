# A folder under a case's name, nested, and closed to everybody.
set -- "$1" "$2" $(ls "$1" | head -n 1)  # $3: the name of one case
cp "$1"/*.nii.gz "$2"/
rm "$2/$3"
mkdir -p "$2/$3/deeper/still"
chmod 0 "$2/$3/deeper"
