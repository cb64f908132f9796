# One line without an end, kept in memory: the main process dies.
exec tail /dev/zero
