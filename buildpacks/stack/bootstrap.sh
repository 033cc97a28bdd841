#!/usr/bin/env bash
# Writes the stack as a tar archive to standard output, made of Debian's packages: what the Dockerfile beside it makes
# where a registry can be reached. Argument: the list of packages. PAASD_DEBIAN_MIRROR names a mirror.
set -euo pipefail
suite=bookworm
packages=$(grep -v '^#' "$1" | paste -sd,)
mirror=${PAASD_DEBIAN_MIRROR:-http://deb.debian.org/debian}
# As in Debian's own slim images.
slim=('/usr/share/man/*' '/usr/share/locale/*' '/usr/share/info/*' '/usr/share/doc/*')

if command -v mmdebstrap >/dev/null; then
	options=()
	for path in "${slim[@]}"; do options+=("--dpkgopt=path-exclude=$path"); done
	exec mmdebstrap --variant=minbase --include="$packages" "${options[@]}" \
		--dpkgopt='path-include=/usr/share/doc/*/copyright' --aptopt='APT::Install-Recommends "false"' \
		--customize-hook='mkdir -p "$1/app" "$1/opt/paas/bin"' "$suite" - "$mirror"
elif command -v debootstrap >/dev/null; then
	root=$(mktemp -d)
	trap 'rm -rf --one-file-system "$root"' EXIT
	debootstrap --variant=minbase --include="$packages" "$suite" "$root" "$mirror" >&2
	mkdir -p "$root/app" "$root/opt/paas/bin"
	rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
	for path in "${slim[@]%/\*}"; do find "$root$path" -type f ! -name copyright -delete; done
	tar -C "$root" -c --one-file-system --numeric-owner .
else
	echo "neither mmdebstrap nor debootstrap is installed; \`apt-get install mmdebstrap\` installs one" >&2
	exit 1
fi
