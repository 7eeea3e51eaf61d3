#!/bin/bash
# A host of its own for the commands of docs/sre.md: what they write goes to memory, their servers have the loopback and the process
# IDs to themselves, and all of it is gone when they end. For root.
#
#   guide_host.sh CHECKOUT SCRIPT      CHECKOUT is the folder in which SCRIPT starts
set -euo pipefail

if [ "${1:-}" != --inside ]; then
    exec unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private "$0" --inside "$@"
fi
checkout=$2 script=$3
ip link set lo up
memory=$(mktemp -d "$checkout.memory.XXXXXX")
mount -t tmpfs tmpfs "$memory"
for folder in /etc /usr/local /opt /srv /var /root; do
    name=${folder//\//_}
    mkdir -p "$memory/$name/upper" "$memory/$name/work"
    mount -t overlay -o "lowerdir=$folder,upperdir=$memory/$name/upper,workdir=$memory/$name/work" overlay "$folder"
done
mkdir /srv/checkout
mount --bind "$checkout" /srv/checkout
mount --bind "$script" /mnt
mount -t tmpfs tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir -p /run/lock /usr/local/sbin

cat >/usr/local/bin/sudo <<'END'
#!/bin/bash
if [ "$1" = -u ]; then
    set -- setpriv "--reuid=$2" "--regid=$2" --init-groups "${@:3}"
fi
exec env "$@"
END
chmod 755 /usr/local/bin/sudo

cd /srv/checkout
exec bash /mnt/script.sh
