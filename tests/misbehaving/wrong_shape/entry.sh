# A volume of 8x8x4 voxels.
set -- "$1" "$2" $(ls "$1" | head -n 1)  # $3: the name of one case
cp "$1"/*.nii.gz "$2"/
cp /workspace/shape.nii.gz "$2/$3"
