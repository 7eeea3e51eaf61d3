"""Real OpenSSH servers."""

from sshd import sshd, sshds

__all__ = ["sshd", "sshds"]
