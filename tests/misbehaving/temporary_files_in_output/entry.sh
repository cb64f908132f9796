# Laid out as a published example: its temporary folder is the output folder.
[ "$TMPDIR" = /mnt/pred ] || exit 5
mktemp && mktemp -d && mktemp -p "$2" work.XXXXXX || exit 6
cp "$1"/*.nii.gz "$2"/
