# Ends well with nothing done.
true
