"""From a request to a recorded run: prepare, submit, execute, follow, cancel, reap."""
