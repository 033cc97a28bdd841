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
  printf '[Service]\nEnvironmentFile=/etc/paasd.env\n' >/etc/systemd/system/paasd.service.d/aws.conf
  systemctl daemon-reload
  systemctl enable --now paasd
else
  setsid bash -c 'set -a; . /etc/paasd.env; cd /
    while true; do /usr/local/bin/paasd serve --config /etc/paasd.toml; sleep 1; done' </dev/null >>/var/log/paasd.log 2>&1 &
fi
