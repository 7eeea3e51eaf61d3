"""The rules of the engine, without clock, environment, files, sockets or threads."""
