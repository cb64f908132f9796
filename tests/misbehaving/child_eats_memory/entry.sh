# A child dies for memory, the container carries on and ends well.
tail /dev/zero
cp "$1"/*.nii.gz "$2"/
