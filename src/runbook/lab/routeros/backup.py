"""`/system backup`: all of the configuration in one file, perhaps encrypted."""

from __future__ import annotations

import hashlib
import json
import secrets
import zlib
from collections.abc import Mapping

from runbook.lab.routeros import files
from runbook.lab.routeros.device import Device, Reply
from runbook.lab.routeros.errors import Category, Rebooting, RouterError, failure
from runbook.lab.routeros.session import Session
from runbook.lab.routeros.state import Config

PLAIN = bytes.fromhex("88aca1b1")
ENCRYPTED = bytes.fromhex("efa89172")
"""The first bytes of real backups."""
SALT = 16
DIGEST = 32


def save(router: Device, _: Session, given: Mapping[str, str]) -> Reply:
    moment = router.clock.now()
    identity = router.config.of("system/identity").get("name", "MikroTik")
    name = given.get("name") or f"{identity}-{moment:%Y%m%d-%H%M}"
    name = name if name.endswith(".backup") else f"{name}.backup"
    password = given.get("password", "")
    if given.get("dont-encrypt") == "yes":
        password = ""
    files.write(router, name, pack(router.config, password))
    router.log("system,info", f"backup {name} saved")
    return Reply(text="Saving system configuration\nConfiguration backup saved")


def load(router: Device, _: Session, given: Mapping[str, str]) -> Reply:
    name = given.get("name", "")
    if not name:
        raise RouterError("missing value(s) of argument(s) name", Category.MISSING)
    if "password" not in given:
        raise RouterError("missing value(s) of argument(s) password", Category.MISSING)
    name = name if name in router.state.files else f"{name}.backup"
    if name not in router.state.files:
        raise RouterError("input does not match any value of name", Category.ARGUMENT)
    config = unpack(files.get(router, name).content, given["password"])

    def apply() -> None:
        router.state.config = config
        router.state.history = []
        router.log("system,info", f"configuration restored from {name}")

    router.reboot(apply)
    raise Rebooting


def pack(config: Config, password: str) -> bytes:
    content = zlib.compress(json.dumps(config.to_json(), sort_keys=True).encode())
    whole = hashlib.sha256(content).digest() + content
    if not password:
        return PLAIN + len(whole).to_bytes(4, "little") + whole
    salt = secrets.token_bytes(SALT)
    return ENCRYPTED + len(whole).to_bytes(4, "little") + salt + _mixed(whole, password, salt)


def unpack(content: bytes, password: str) -> Config:
    """Raises RouterError if it's damaged, or if the password is wrong."""
    magic, size = content[:4], int.from_bytes(content[4:8], "little")
    if magic not in {PLAIN, ENCRYPTED}:
        raise failure("bad backup file")
    start = 8 + (SALT if magic == ENCRYPTED else 0)
    rest = content[start:]
    if len(rest) != size:
        raise failure("backup file is truncated")
    if magic == ENCRYPTED:
        rest = _mixed(rest, password, content[8:start])
    digest, packed = rest[:DIGEST], rest[DIGEST:]
    if hashlib.sha256(packed).digest() != digest:
        raise failure("wrong password or corrupt backup file")
    return Config.from_json(json.loads(zlib.decompress(packed)))


def _mixed(content: bytes, password: str, salt: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    key = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 1000, 32)
    cipher = Cipher(algorithms.AES(key), modes.CTR(salt))
    changer = cipher.encryptor()
    return changer.update(content) + changer.finalize()
