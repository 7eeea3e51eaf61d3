"""From a request to a recorded run: submit, execute, record, follow, cancel, reap."""
