# Ends with a code of its own.
exit 3
