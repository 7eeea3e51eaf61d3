"""OpenSSH's own ssh and sftp."""

import shutil
import subprocess

import pytest

from needs import need
from runbook.lab.routeros.router import Router

RSC = "/ip address\nadd address=10.3.0.1/24 interface=ether3\n"


@pytest.fixture(scope="module", params=["6.49.10", "7.18"])
def router(request):
    with Router(request.param, password="secret", certificate=False) as found:
        yield found


@pytest.fixture(scope="module")
def folder(router, tmp_path_factory):
    need(all(map(shutil.which, ("ssh", "sftp", "ssh-keygen"))), "OpenSSH")
    found = tmp_path_factory.mktemp("openssh")
    key = found / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    public = key.with_suffix(".pub").read_text().strip()
    router.run(f'/user ssh-keys add user=admin key="{public}"')
    known = f"[127.0.0.1]:{router.ssh_port} {router.host_key}\n"
    (found / "known").write_text(known)
    return found


@pytest.fixture(scope="module")
def openssh(router, folder):
    def run(program, port, *arguments, **options):
        settings = (
            "StrictHostKeyChecking=yes",
            f"UserKnownHostsFile={folder / 'known'}",
            f"IdentityFile={folder / 'key'}",
            "IdentitiesOnly=yes",
            "BatchMode=yes",
        )
        words = [word for one in settings for word in ("-o", one)]
        return subprocess.run(
            [program, "-F", "none", *words, port, str(router.ssh_port), *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            cwd=folder,
            check=False,
            **options,
        )

    return run


@pytest.fixture
def ssh(openssh):
    return lambda command: openssh("ssh", "-p", "admin@127.0.0.1", command)


def test_commands_print_and_errors_have_the_status_of_the_version(router, ssh):
    said = ssh("/system identity print")
    assert (said.returncode, said.stdout) == (0, "  name: MikroTik\n")

    wrong = ssh("/ip adress print")
    assert wrong.stdout.strip() == "bad command name adress (line 1 column 5)"
    assert wrong.returncode == (0 if router.release.is_6 else 1)


def test_files_go_and_come_by_sftp(router, openssh, ssh, folder):
    (folder / "up.rsc").write_text(RSC)
    said = openssh(
        "sftp", "-P", "-b", "-", "admin@127.0.0.1", input="put up.rsc\nls\nget up.rsc down.rsc\n"
    )
    assert said.returncode == 0, said.stderr
    assert (folder / "down.rsc").read_text() == RSC

    assert "successfully" in ssh("/import file-name=up.rsc").stdout
    assert "already have such address" in ssh("/import up.rsc").stdout
    assert "add address=10.3.0.1/24 interface=ether3" in ssh("/export").stdout
    assert ssh("/ip address remove [find interface=ether3]; /file remove up.rsc").stdout == ""
    assert ssh("/file print count-only").stdout.strip() == "0"


def test_another_host_key_is_noticed(router, ssh):
    before = router.state.facts["ssh-host-key"]
    router.change_host_key()
    said = ssh("/system identity print")
    router.state.facts["ssh-host-key"] = before

    assert said.returncode == 255
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in said.stderr
