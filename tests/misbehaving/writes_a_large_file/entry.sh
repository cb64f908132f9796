# One file over the cap on a file: the kernel ends the writer with SIGXFSZ (25), a shell says 128 + 25.
dd if=/dev/zero of="$2/x" bs=1M count=200
exit $?
