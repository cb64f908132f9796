# Wants the network, and does its work without.
for address in 192.0.2.1 172.17.0.1 169.254.169.254 127.0.0.1; do
    nc -w 1 "$address" 80 < /dev/null && echo "reached $address" && exit 8
done
[ "$(ls /sys/class/net)" = lo ] || exit 7
cp "$1"/*.nii.gz "$2"/
