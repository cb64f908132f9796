# An image for root, with its own entry point, health check and folder: nothing of it helps.
[ "$(id -u)" = 65534 ] || exit 5
grep -q "^CapEff:[[:space:]]*0000000000000000" /proc/self/status || exit 7
grep -q "^CapBnd:[[:space:]]*0000000000000000" /proc/self/status || exit 8
# no setuid program gains anything:
grep -q "^NoNewPrivs:[[:space:]]*1" /proc/self/status || exit 9
grep -q "^Seccomp:[[:space:]]*2" /proc/self/status || exit 10
mount -t tmpfs none /tmp 2> /dev/null && exit 11
dmesg > /dev/null 2>&1 && exit 12
[ -e /var/run/docker.sock ] && exit 13
[ "$(hostname)" = mood ] || exit 14
[ "$HOME" = /tmp ] || exit 15
[ "$(ulimit -c)" = 0 ] || exit 16
[ "$(pwd)" = /elsewhere ] || exit 17
cp "$1"/*.nii.gz "$2"/
