"""Pure domain logic: no clock, environment, files, sockets or threads."""
