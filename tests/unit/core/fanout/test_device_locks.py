"""The lock of a device."""

from runbook.core.fanout.device_locks import device_lock, device_locks_of, with_locks
from runbook.core.fanout.limits import WhenBusy
from runbook.core.run import LockRequest, LockWant

EDGE = LockWant("device:edge-1")


def test_a_device_is_locked_by_its_name():
    assert device_lock("edge-1", WhenBusy.WAIT) == LockRequest((EDGE,), waits=True)
    assert device_lock("edge-1", WhenBusy.SKIP) == LockRequest((EDGE,), waits=False)


def test_the_locks_of_devices_are_told_from_others():
    assert device_locks_of(None) is None
    assert device_locks_of(LockRequest((LockWant("other"),))) is None
    both = LockRequest((LockWant("other"), EDGE), waits=False)
    assert device_locks_of(both) == LockRequest((EDGE,))


def test_locks_are_taken_besides_those_of_the_policy():
    own, more = LockRequest((LockWant("other"), EDGE)), device_lock("edge-1", WhenBusy.SKIP)
    assert with_locks(None, None) is None
    assert with_locks(own, None) == own
    assert with_locks(None, more) == more
    assert with_locks(own, more) == LockRequest(own.wants, waits=False)
    assert with_locks(LockRequest((LockWant("other"),)), more).wants == own.wants
