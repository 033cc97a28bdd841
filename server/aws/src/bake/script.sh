#!/bin/bash
# Makes this machine the image that hosts start from, says on the console how that went, and switches the machine off.
set -Eeuo pipefail
export DEBIAN_FRONTEND=noninteractive HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
fingerprint=FINGERPRINT
step=start

say() { echo "paas-bake: $*"; }
begin() { step=$1 && say "$step"; }

off() {
  sync
  if [ -d /run/systemd/system ]; then systemctl poweroff; else
    # LINUX_REBOOT_CMD_POWER_OFF, of reboot(2).
    /usr/bin/python3 -c 'import ctypes; ctypes.CDLL(None).reboot(0x4321FEDC)'
  fi
  sleep infinity
}

failed() {
  trap - ERR
  say "failed $step: $1"
  off
}
trap 'failed "line $LINENO ended with $?"' ERR

# The address is its own key, so it is no argument that others could see.
fetch() {
  local url=$1 digest=$2 path=$3 mode=$4
  mkdir -p "$(dirname "$path")"
  printf 'url = "%s"\n' "$url" |
    curl --config - --silent --show-error --fail --retry 5 --connect-timeout 10 --max-time 900 --output "$path.part"
  echo "$digest  $path.part" | sha256sum --check --quiet -
  chmod "$mode" "$path.part"
  mv "$path.part" "$path"
}

main() {
  begin "system packages"
  missing=()
  for each in PACKAGES; do
    shows=${each%%=*}
    [ -e "$shows" ] || command -v "$shows" >/dev/null || missing+=("${each#*=}")
  done
  # A machine that has all of them has been made by somebody who knows what else is on it.
  if [ ${#missing[@]} -gt 0 ]; then
    patient=(-qq -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
    apt-get "${patient[@]}" update
    apt-get "${patient[@]}" upgrade
    apt-get "${patient[@]}" install --no-install-recommends "${missing[@]}"
  fi

  begin "programs and slugs"
FETCHES
  /opt/paas/bin/paasd --version

  begin "service"
  mkdir -p /etc/systemd/system/multi-user.target.wants
  cat >/etc/systemd/system/paas-agent.service <<'UNIT'
SERVICE
UNIT
  ln -sf ../paas-agent.service /etc/systemd/system/multi-user.target.wants/paas-agent.service
  mkdir -p -m 0755 /etc/paas
STACK
  begin "cleaning"
  if [ ${#missing[@]} -gt 0 ]; then apt-get clean && rm -rf /var/lib/apt/lists/*; fi
  rm -f /etc/ssh/ssh_host_* /root/.ssh/authorized_keys /home/*/.ssh/authorized_keys /root/.bash_history
  rm -rf /var/lib/cloud/instance /var/lib/cloud/instances /var/lib/cloud/data /var/lib/cloud/sem
  rm -rf /var/log/cloud-init*.log /var/log/journal/* /var/lib/systemd/random-seed
  rm -f /var/lib/dbus/machine-id && : >/etc/machine-id

  say "done $fingerprint"
  off
}

main
