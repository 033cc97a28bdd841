#!/bin/bash
# Makes this machine the control plane of a platform. There is no secret in here: who may describe instances can read it.
set -eu
cat >/etc/paasd-identity.pem <<'END-OF-FILE'
CERTIFICATES
END-OF-FILE
cat >/etc/paasd.toml <<'END-OF-FILE'
OPTIONS
END-OF-FILE
cat >/etc/paasd.env <<'END-OF-FILE'
ENVIRONMENT
END-OF-FILE
ln -sf /opt/paas/bin/paasd /usr/local/bin/paasd
# It runs as long as the machine does.
if [ -d /run/systemd/system ]; then
  mkdir -p /etc/systemd/system/paasd.service.d
  cat >/etc/systemd/system/paasd.service <<'END-OF-FILE'
SERVICE
END-OF-FILE
  cat >/etc/systemd/system/paasd.service.d/aws.conf <<'END-OF-FILE'
[Service]
EnvironmentFile=/etc/paasd.env
# What fails is tried again, but not at once: it may be gigabytes that come from the bucket.
ExecStartPre=/bin/sh -c '/opt/paas/bin/paasd upkeep --program /opt/paas/bin/paasd --config /etc/paasd.toml || { sleep 15; exit 1; }'
TimeoutStartSec=infinity
END-OF-FILE
  systemctl daemon-reload
  systemctl enable --now paasd
else
  each_start=/var/lib/cloud/scripts/per-boot/paasd
  mkdir -p "$(dirname "$each_start")"
  cat >"$each_start" <<'END-OF-FILE'
#!/bin/bash
setsid bash -c 'set -a; . /etc/paasd.env; cd /
  paasd=/usr/local/bin/paasd options=/etc/paasd.toml
  while true; do
    $paasd upkeep --program /opt/paas/bin/paasd --config $options && $paasd serve --config $options
    sleep 1
  done' </dev/null >>/var/log/paasd.log 2>&1 &
END-OF-FILE
  chmod 0755 "$each_start"
  "$each_start"
fi
