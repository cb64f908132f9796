# A log that is no text, with NUL bytes in it.
head -c 5000 /dev/urandom
printf 'a\0b\n'
cp "$1"/*.nii.gz "$2"/
