#!/bin/sh
# The first process of a machine: makes its file system, then does what cloud-init does, and reaps what is left.
# boot.sh DIRECTORY LOWER OVERLAY-OPTIONS HOST-NAME INSTANCE-ID SHARED…
set -e
directory=$1 lower=$2 options=$3 name=$4 instance=$5
shift 5

# The network is made between these two.
echo here >&3
exec 3>&-
read -r _

root=$directory/root
if ! mount -t overlay overlay -o "lowerdir=$lower,upperdir=$directory/upper,workdir=$directory/work$options" "$root"; then
  # An ordinary user's namespaces may not stack on a root with locked mounts: share it, hide where one would write.
  mount --rbind / "$root"
  for place in root var/lib/cloud; do [ ! -d "$root/$place" ] || mount -t tmpfs tmpfs "$root/$place"; done
fi
hostname "$name"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys" 2>/dev/null || mount --rbind /sys "$root/sys"
[ ! -d /sys/fs/cgroup ] || mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/dev/shm"
for place in run tmp var/tmp; do mount -t tmpfs tmpfs "$root/$place"; done
chmod 1777 "$root/tmp" "$root/var/tmp"
for shared in "$@"; do
  mkdir -p "$root$shared"
  mount --rbind "$shared" "$root$shared"
done
mkdir -p "$root/run/simcloud"
cp "$directory/user-data" "$root/run/simcloud/user-data"
chmod 700 "$root/run/simcloud/user-data"

export INSTANCE="$instance" HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec chroot "$root" /bin/sh -c '
  cd /
  # The others have until their end, or until the power is cut: with this process all of them end.
  trap "kill -TERM -1; while kill -s 0 -- -1 2>/dev/null; do sleep 0.05; done; exit 0" TERM
  seen=/var/lib/cloud/instances/$INSTANCE
  for script in /var/lib/cloud/scripts/per-boot/*; do
    [ ! -x "$script" ] || "$script" &
    wait $!
  done
  # User data runs once in the life of an instance, per-boot scripts at each start.
  if [ ! -e "$seen" ] && [ -s /run/simcloud/user-data ]; then
    mkdir -p /var/lib/cloud/instances && : >"$seen"
    code=0
    /run/simcloud/user-data & wait $! || code=$?
    echo "cloud-init: user data ended with $code"
  fi
  while :; do sleep 3600 & wait $!; done'
