# As many empty files as fit.
cd "$2" && seq 1 120000 | xargs touch
sleep 600
