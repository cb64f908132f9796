# Tries every place but the two it may write to.
for place in /mnt/data /mnt /workspace / /etc /root /usr /dev /proc/sys/kernel /sys/fs/cgroup /declared; do
    touch "$place/x" 2> /dev/null && echo "wrote to $place" && exit 5
done
for name in "$1"/*; do
    { echo x > "$name"; } 2> /dev/null && echo "wrote over an input" && exit 5
    rm -f "$name" 2> /dev/null
    [ -e "$name" ] || exit 5
done
echo x > "$HOME/x" && echo x > /tmp/x || exit 6
cp /bin/busybox /tmp/busybox && /tmp/busybox true || exit 6  # programs compile into /tmp
cp "$1"/*.nii.gz "$2"/
