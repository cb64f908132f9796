# Never ends.
sleep 600
