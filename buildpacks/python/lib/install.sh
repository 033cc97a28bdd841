#!/usr/bin/env bash
# The steps of bin/compile. They share its variables: build, cache, home, environment, work, plan, state.
# shellcheck disable=SC2154,SC2164,SC2004  # variables of bin/compile; set -e ends a failed cd

# Runs a hook of the app's own, bin/pre_compile or bin/post_compile, as Heroku's Python buildpack does.
run_hook() {
	[[ -f $build/bin/$1 ]] || return 0
	step "Running bin/$1"
	chmod +x "$build/bin/$1"
	(cd "$build" && with_config "bin/$1") 2>&1 | indent || fail "bin/$1 failed" "the lines above say why; it runs in the root of the source"
}

# Uses the platform's uv, or the pinned version of it from the package index.
choose_uv() {
	local own pinned_version directory
	command -v uv >/dev/null || fail "uv, which installs packages, is not on this platform" \
		"the platform's operator installs it: \`python3 -m pip install uv\`, or sets PAASD_UV"
	own=${PAAS_UV_VERSION:-}
	if [[ -z $own ]]; then
		own=$(uv --version)
		own=${own#uv } own=${own%% *}
	fi
	pinned_version=$(pinned uv version)
	uv_version=${pinned_version:-$own}
	if [[ $uv_version != "$own" ]]; then
		directory=$cache/uv-$uv_version
		if [[ ! -x $directory/bin/uv ]]; then
			step "Fetching uv $uv_version, which is pinned (this platform has $own)"
			rm -rf "$directory" "$directory.new"
			uv venv -q --no-config --python /usr/bin/python3 "$directory.new"
			VIRTUAL_ENV=$directory.new with_config uv pip install -q --no-config "uv==$uv_version" 2>&1 | indent ||
				fail "uv $uv_version is pinned and cannot be fetched" "try again, or move to $own: paasctl pins:upgrade uv"
			mv "$directory.new" "$directory"
		fi
		PATH=$directory/bin:$PATH
	fi
	version uv "" "$uv_version" "${pinned_version:+an earlier build}" "$([[ -n $pinned_version ]] && echo yes || echo no)" \
		"$([[ $uv_version == "$own" ]] || echo "$own")"
}

read_plan() {
	local key value told
	told=$(python "$home/lib/plan.py" "$build" "${PINS:-/nowhere}" "$work" "$BUILDPACK_VERSION uv $uv_version" "$environment") ||
		fail "the Python files of the source cannot be read" "the lines above say which one and why"
	while IFS=$'\t' read -r key value; do
		case $key in
		warn) warn "$value" ;;
		note) detail "$value" ;;
		*) plan[$key]=$value ;;
		esac
	done <<<"$told"
	[[ -z ${plan[fail]:-} ]] || fail "${plan[fail]}" "${plan[hint]}"
}

# Runs one of our own scripts with the stack's Python.
python() { /usr/bin/python3 -S -s "$@"; }

say_plan() {
	local why="asked by ${plan[python_origin]}"
	[[ -n ${plan[python_request]} ]] || why=${plan[python_origin]}
	[[ ${plan[python_pinned]} == no ]] || why+=", pinned"
	[[ -z ${plan[python_request]} || ${plan[python_request]} == "${plan[python_version]}" ]] || why="\`${plan[python_request]}\` $why"
	step "Python ${plan[python_version]} ($why)"
	detail "Packages: ${plan[because]}"
	case ${plan[resolution]:-} in
	pinned) detail "Their versions are pinned by an earlier build; \`paasctl pins:upgrade\` chooses newer ones" ;;
	outdated) detail "The list has changed; versions that still fit stay as they were pinned" ;;
	*)
		[[ ${plan[unpinned]:-no} == no ]] ||
			detail "There is no lock file: the versions found now are pinned, so that the next build installs the same"
		;;
	esac
}

# Finds the interpreter: the stack's, or one that uv fetches and that goes into the slug.
find_python() {
	interpreter=${plan[python_path]}
	if [[ -n $interpreter ]]; then return; fi
	local asked=${plan[python_version]} log=$work/python-install
	detail "This stack has Python ${plan[stack]}; fetching ${asked}"
	if ! UV_HTTP_RETRIES=1 with_config uv python install -q "$asked" >"$log" 2>&1; then
		indent <"$log"
		fail "Python $asked is not on this stack, which has ${plan[stack]}, and could not be fetched" \
			"write a version that the stack has to .python-version, such as ${plan[stack]%.*}"
	fi
	local found
	found=$(uv python find --managed-python "$asked")
	found=$(realpath "$found")
	mkdir -p "$build/.paas"
	cp -a "${found%/bin/*}" "$build/.paas/cpython"
	interpreter=$build/.paas/cpython/bin/${found##*/}
	plan[python_version]=$("$interpreter" -c 'import platform; print(platform.python_version())')
}

# Makes an empty environment. Where only a list has changed, the last one is the start: its bytes do not depend on that.
make_environment() {
	local base="$BUILDPACK_VERSION uv $uv_version python ${plan[python_version]} ${plan[kind]}"
	mkdir -p "$build/.paas"
	if [[ ${plan[resolution]:-} == outdated && ${plan[local]} == no && ${plan[project]} == no && -f $environment/base && $(<"$environment/base") == "$base" ]]; then
		plan[grown]=yes
		return
	fi
	if [[ -d $environment ]]; then
		mv "$environment" "$build/.paas/stale"
		discard .paas/stale
	fi
	uv venv -q --no-config --no-project --python "$interpreter" "$environment" 2>&1 | indent ||
		fail "no environment could be made for Python ${plan[python_version]}" "the lines above say why"
	printf '%s' "$base" >"$environment/base"
}

# finish_environment fresh|kept: drops what would differ, compiles bytecode if fresh, lists the packages, finds the web process.
finish_environment() {
	local told key value
	told=$("$interpreter" -S -s "$home/lib/finish.py" "$1" "$environment" "$build" "${plan[django]}" "${plan[kind]}") ||
		fail "the installed packages could not be read" "the lines above say why"
	while IFS=$'\t' read -r key value; do [[ -z $key ]] || plan[$key]=$value; done <<<"$told"
	[[ -z ${plan[fail]:-} ]] || fail "${plan[fail]}" "${plan[hint]}"
}

# Tells the platform the packages and what to keep, and bin/release the web process.
report_environment() {
	local fingerprint=${plan[fingerprint]}
	[[ -z ${BUILD_REPORT:-} ]] || cp "$environment/packages" "$BUILD_REPORT/packages"
	printf '%s\t%s\n' "${plan[web]:-}" "${plan[why]:-}" >"$home/web"
	[[ -z ${plan[none]:-} ]] || printf '%s' "${plan[none]}" >"$home/none"
	if [[ ${plan[local]} == yes ]]; then return; fi
	keep .paas/python
	if [[ ${plan[kept]:-no} == yes ]]; then return; fi
	if [[ ${plan[locked]} == no ]]; then
		# The next build's plan knows the resolution from its pin, so the fingerprint is over that.
		fingerprint=$(python "$home/lib/fingerprint.py" "$BUILDPACK_VERSION uv $uv_version" "${plan[python_version]}" "${plan[kind]}" "$work/resolution")
	fi
	printf '%s' "$fingerprint" >"$environment/fingerprint"
}

pin_versions() {
	local requested=${plan[python_request]}
	version python "$requested" "${plan[python_version]}" "${plan[python_origin]}" "${plan[python_pinned]}"
	pin python "${plan[python_version]}" "$requested" "${plan[python_origin]}"
	pin uv "$uv_version" "" "the platform's at the first build"
	if [[ ${plan[locked]} == no && -f $work/resolution ]]; then
		pin python-packages "$(<"$work/resolution")" "${plan[requested]}" "${plan[kind]}"
	fi
	[[ -z ${poetry:-} ]] || pin poetry "$poetry" "" "the newest at the first build, with its export plugin"
}

collect_static() {
	local log=$work/collectstatic status=0 disabled
	grep -q $'^django\t' "$environment/packages" || return 0
	disabled=$(config_var DISABLE_COLLECTSTATIC)
	if [[ ${disabled:-0} != 0 ]]; then
		step "Not collecting static files: DISABLE_COLLECTSTATIC is set"
		return
	fi
	step "Collecting static files (${plan[django]/#./manage.py} collectstatic; DISABLE_COLLECTSTATIC=1 turns it off)"
	(cd "$build/${plan[django]}" && PYTHONPATH=$build with_config "$environment/bin/python" manage.py collectstatic --noinput) >"$log" 2>&1 || status=$?
	if ((status == 0)); then
		indent <"$log"
	elif grep -q "Unknown command: 'collectstatic'" "$log"; then
		detail "django.contrib.staticfiles is not among INSTALLED_APPS: nothing to collect"
	else
		indent <"$log" >&2
		fail "manage.py collectstatic failed with status $status" "$(explain_collectstatic "$log")"
	fi
}

explain_collectstatic() {
	if grep -q "STATIC_ROOT" "$1"; then
		echo "set STATIC_ROOT in the settings, such as BASE_DIR / \"staticfiles\", or turn it off with \`paasctl config:set DISABLE_COLLECTSTATIC=1\`"
	elif grep -qE "KeyError|ImproperlyConfigured|environment variable" "$1"; then
		echo "the settings may need a config var at build time: \`paasctl config:set NAME=value\`, then push again"
	else
		echo "run \`python manage.py collectstatic --noinput\` locally, or turn it off with \`paasctl config:set DISABLE_COLLECTSTATIC=1\`"
	fi
}
