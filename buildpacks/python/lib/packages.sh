#!/usr/bin/env bash
# Installs packages from each kind of source. Shares the variables of bin/compile.
# shellcheck disable=SC2154,SC2164,SC2004  # variables of bin/compile; set -e ends a failed cd

# Runs uv with its output indented; what went wrong is explained by the caller.
run_uv() { UV_PYTHON=$environment/bin/python with_config uv "$@" 2>&1 | indent; }

# take_index UV OLD PIP: has uv know by UV the index that pip's variable names, unless uv's own, UV or OLD, name one. What the app says
# goes before what the platform does.
take_index() {
	local own
	[[ -z $(config_var "$1")$(config_var "$2") ]] || return 0
	own=$(config_var "$3")
	[[ -n $own || -n ${!1:-}${!2:-} ]] || own=${!3:-}
	[[ -z $own ]] || export "$1=$own"
}

install_packages() {
	local hint="the lines above are uv's; correct ${plan[kind]}, commit, and push again"
	cd "$build"
	case ${plan[kind]} in
	none) ;;
	uv.lock) install_uv_lock ;;
	poetry.lock) install_poetry_lock ;;
	Pipfile.lock)
		python "$home/lib/pipfile.py" Pipfile.lock >"$work/requirements.txt" ||
			fail "Pipfile.lock cannot be read" "run \`pipenv lock\` and commit the result"
		run_uv pip install --no-config --no-deps -r "$work/requirements.txt" || fail "the packages of Pipfile.lock could not be installed" "$hint"
		;;
	requirements.txt | pyproject.toml | setup.py) install_list "$hint" ;;
	esac
	cd "$home"
}

install_uv_lock() {
	local all=(--no-install-project)
	[[ ${plan[local]} == no ]] || all=()
	run_uv sync --locked --no-dev "${all[@]}" || fail "the packages of uv.lock could not be installed" \
		"if uv says that the lock file needs to be updated: run \`uv lock\`, commit uv.lock, and push again"
}

# poetry itself turns its lock into a list, since only it knows its groups and markers.
install_poetry_lock() {
	local tool=$cache/poetry wanted="poetry poetry-plugin-export"
	poetry=$(pinned poetry version)
	[[ -z $poetry ]] || wanted="poetry==${poetry%%+*} poetry-plugin-export==${poetry#*+}"
	if [[ ! -f $tool/version || $(<"$tool/version") != "${poetry:-$(<"$tool/version")}" ]]; then
		detail "Fetching poetry${poetry:+ ${poetry%%+*}}, which reads its lock file"
		rm -rf "$tool"
		uv venv -q --no-config --no-project --python /usr/bin/python3 "$tool"
		# shellcheck disable=SC2086  # two words
		VIRTUAL_ENV=$tool UV_PYTHON=$tool/bin/python with_config uv pip install -q --no-config $wanted 2>&1 | indent ||
			fail "poetry could not be fetched from the package index" "try again; the lines above are uv's"
		VIRTUAL_ENV=$tool UV_PYTHON=$tool/bin/python uv pip freeze -q >"$work/poetry"
		printf '%s+%s' "$(sed -n 's/^poetry==//p' "$work/poetry")" "$(sed -n 's/^poetry-plugin-export==//p' "$work/poetry")" >"$tool/version"
	fi
	poetry=$(<"$tool/version")
	version poetry "" "${poetry%%+*}" poetry.lock "$([[ -n $(pinned poetry version) ]] && echo yes || echo no)"
	with_config env -u VIRTUAL_ENV "$tool/bin/poetry" export --no-interaction --output "$work/requirements.txt" 2>&1 | indent ||
		fail "poetry.lock could not be read by poetry ${poetry%%+*}" "run \`poetry lock\`, commit poetry.lock, and push again"
	run_uv pip install --no-config --no-deps -r "$work/requirements.txt" ||
		fail "the packages of poetry.lock could not be installed" "the lines above are uv's"
}

# Installs from a list without exact versions: by the pinned resolution, or by a new one that keeps what it can.
install_list() {
	local list=${plan[kind]} hint=$1
	: >>"$work/options"
	if [[ ${plan[locked]} == yes ]]; then
		run_uv pip install -r "$list" || fail "the packages of $list could not be installed" "$hint"
		return
	fi
	if [[ ${plan[resolution]:-} == outdated ]]; then
		run_uv pip compile -q --no-header --no-annotate "$list" -o "$work/resolution" >/dev/null ||
			{ run_uv pip compile -q "$list" -o "$work/resolution" || true; fail "the packages of $list do not fit together" "$hint"; }
	fi
	if [[ -n ${plan[resolution]:-} ]]; then
		cat "$work/options" "$work/resolution" >"$work/requirements.txt"
		local how=(install --no-deps -r)
		[[ ${plan[grown]:-no} == no ]] || how=(sync)
		run_uv pip "${how[@]}" "$work/requirements.txt" || fail "the packages of $list could not be installed" "$hint"
	else
		run_uv pip install -r "$list" || fail "the packages of $list could not be installed" "$hint"
		UV_PYTHON=$environment/bin/python uv pip freeze -q >"$work/resolution"
		name_credentials "$list"
	fi
}

# What is installed tells no credentials of where it came from, and the next build would have none. Those that the list takes from config
# vars, as ${NAME}, are put back under their names: a resolution of the list has them, and where it finds the same, its lines are taken.
name_credentials() {
	grep -q ' @ .*://' "$work/resolution" || return 0
	grep -v ' @ ' "$work/resolution" >"$work/constraints" || true
	run_uv pip compile -q --no-header --no-annotate -c "$work/constraints" "$1" -o "$work/named" >/dev/null || return 0
	# shellcheck disable=SC2016  # awk's fields
	awk 'NR == FNR {
			plain = $0
			sub(/:\/\/[^\/@]*@/, "://", plain)
			sub(/#egg=.*/, "", plain)
			if ($0 ~ /:\/\/[^\/@]*\$\{[A-Z0-9_]+\}[^\/@]*@/) named[plain] = $0
			next
		}
		{ print ($0 in named) ? named[$0] : $0 }' "$work/named" "$work/resolution" >"$work/credited"
	mv "$work/credited" "$work/resolution"
}

# Installs the source itself, where it is a package: editable, so that it stays where it was pushed.
install_project() {
	detail "The source is a package of its own: installing it"
	cd "$build"
	if [[ ${plan[kind]} == uv.lock ]]; then
		run_uv sync -q --locked --no-dev --reinstall-package "${plan[project_name]}"
	else
		run_uv pip install -q --no-deps -e .
	fi || fail "the source is a package of its own and could not be built" "the lines above say why"
	cd "$home"
}
