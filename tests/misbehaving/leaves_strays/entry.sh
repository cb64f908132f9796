# Predictions, and all kinds of things that nobody asked for.
cp "$1"/*.nii.gz "$2"/
mkdir -p "$2/a/b/c" "$2/.cache"
echo x > "$2/notes.txt"
echo x > "$2/UPPER.NII.GZ"
mkfifo "$2/pipe"
ln -s / "$2/root"
touch "$2/name with a
newline" "$2/-rf"
chmod 0 "$2/a/b"
