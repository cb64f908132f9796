# Writes until nothing more fits, and does not care.
for name in a b c d e f; do dd if=/dev/zero of="$2/$name" bs=1M count=20; done
sleep 600
