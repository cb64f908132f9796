# Wants the network, and gives up when there is none.
ls /sys/class/net
wget -T 2 -q -O - http://192.0.2.1/ || ping -c 1 -W 1 192.0.2.1 || nslookup example.org || exit 9
cp "$1"/*.nii.gz "$2"/
