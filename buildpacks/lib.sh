#!/usr/bin/env bash
# What the built-in buildpacks share: words for the log, the detection trace and the build report.
#
# The platform sets DETECTION_TRACE (a file) for bin/detect, and BUILD_REPORT and PINS (directories) for
# bin/compile. Without them the functions only print, so that the scripts also run by hand.

step() { printf -- '-----> %s\n' "$*"; }
detail() { printf '       %s\n' "$*"; }
warn() { printf ' !     %s\n' "$*" >&2; }

# Indents what a command prints.
indent() {
	local line
	while IFS= read -r line || [[ -n $line ]]; do printf '       %s\n' "$line"; done
}

# fail REASON [HINT]: ends the build with a sentence and what helps. The platform shows both as the log's last words.
fail() {
	if [[ -n ${BUILD_REPORT:-} ]]; then
		printf '%s\n%s\n' "${1//$'\n'/ }" "${2:-}" >"$BUILD_REPORT/failure"
	else
		warn "$1"
		[[ -z ${2:-} ]] || warn "$2"
	fi
	exit 1
}

# look PATH NOTE: tells whether the source has a file, and writes down that it was looked for.
look() {
	local found=absent
	# shellcheck disable=SC2154  # the argument of every script
	[[ -f $build/$1 ]] && found=found
	trace_look "$1" "$found" "${2:-}"
	[[ $found == found ]]
}

trace_look() { printf 'look\t%s\t%s\t%s\n' "$1" "$2" "${3:-}" >>"${DETECTION_TRACE:-/dev/null}"; }
therefore() { printf 'therefore\t%s\n' "$*" >>"${DETECTION_TRACE:-/dev/null}"; }

# version NAME REQUESTED VERSION ORIGIN PINNED(yes|no) [NEWER]: reports a version that was chosen.
version() {
	[[ -z ${BUILD_REPORT:-} ]] || printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "$5" "${6:-}" >>"$BUILD_REPORT/versions"
}

# pin NAME VERSION REQUESTED ORIGIN: has the platform keep a version for later builds.
pin() {
	[[ -n ${BUILD_REPORT:-} ]] || return 0
	local directory=$BUILD_REPORT/pins/$1
	mkdir -p "$directory"
	printf '%s' "$2" >"$directory/version"
	printf '%s' "$3" >"$directory/requested"
	printf '%s' "$4" >"$directory/origin"
}

# pinned NAME FIELD: prints a field (version, requested or origin) of a pin, or nothing.
pinned() {
	local value=
	[[ -z ${PINS:-} || ! -f $PINS/$1/$2 ]] || IFS= read -r -d '' value <"$PINS/$1/$2" || true
	printf '%s' "$value"
}

# keep PATH: has the platform hold a directory of BUILD_DIR for the next build, which finds it in its place again.
keep() { [[ -z ${BUILD_REPORT:-} ]] || printf '%s\n' "$1" >>"$BUILD_REPORT/keep"; }

# was_kept PATH: tells whether a directory was kept from an earlier build, and is not part of the source.
was_kept() { [[ $'\n'${KEPT:-}$'\n' == *$'\n'"$1"$'\n'* ]]; }

# discard PATH: has the platform take a directory of BUILD_DIR away before packing, which is faster than to delete it.
discard() { if [[ -n ${BUILD_REPORT:-} ]]; then printf '%s\n' "$1" >>"$BUILD_REPORT/discard"; else rm -rf "${build:?}/$1"; fi; }

# took NAME START: reports how long a part of the build took that began at START, which was $EPOCHREALTIME then.
took() {
	[[ -n ${BUILD_REPORT:-} ]] || return 0
	printf '%s\t%s\n' "$1" "$(((${EPOCHREALTIME/[.,]/} - ${2/[.,]/}) / 1000))" >>"$BUILD_REPORT/steps"
}

# with_config COMMAND…: runs a program that may see the app's config vars, in a subshell: a var may have the name of any
# variable of the scripts. They read what the platform's own programs need with config_var.
with_config() (
	# shellcheck disable=SC2154  # the argument of bin/compile
	for _config_file in "$env_dir"/*; do
		[[ -f $_config_file ]] || continue
		is_passed_on "${_config_file##*/}" || continue
		IFS= read -r -d '' _config_value <"$_config_file" || true
		# An array, or RANDOM and its like, would not become a plain variable.
		unset -v "${_config_file##*/}"
		export "${_config_file##*/}=$_config_value"
	done
	unset -v _config_file _config_value
	exec "$@"
)

# config_var NAME: prints the value of a config var, or nothing.
config_var() {
	local value=
	[[ ! -f $env_dir/$1 ]] || IFS= read -r -d '' value <"$env_dir/$1" || true
	printf '%s' "$value"
}

# Tells whether programs get a config var of this name: not one that would break the build itself, or that bash keeps.
is_passed_on() {
	case $1 in
	PATH | HOME | IFS | ENV | BASH_ENV | SHELLOPTS | GIT_DIR | CPATH | CPPATH | LANG | LIBRARY_PATH | LD_* | PYTHONHOME | PYTHONPATH | PYTHONSTARTUP | VIRTUAL_ENV | BUILD_REPORT | PINS) return 1 ;;
	UV_PYTHON | UV_PROJECT_ENVIRONMENT | UV_CACHE_DIR | UV_PYTHON_INSTALL_DIR) return 1 ;;
	UID | EUID | PPID | BASHOPTS | BASH_VERSINFO | POSIXLY_CORRECT | _ | _config_file | _config_value) return 1 ;;
	esac
	[[ $1 =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]]
}

# quoted TEXT: prints a text between the double quotes of YAML.
quoted() {
	local text=${1//[[:cntrl:]]/ }
	text=${text//\\/\\\\}
	printf '"%s"' "${text//\"/\\\"}"
}
