# Runs bin/compile and bin/release of each buildpack, given as NAME=VERSION, in order; stops at the first failure.
umask 077
mkdir /tmp/env
for variable in "${!BUILD_VAR_@}"; do
	printf '%s' "${!variable}" >"/tmp/env/${variable#BUILD_VAR_}"
	unset "$variable"
done
umask 022
export PINS=/tmp/pins
exports=()
for buildpack in "$@"; do
	name=${buildpack%%=*}
	export BUILDPACK_VERSION=${buildpack#*=} BUILD_REPORT=/tmp/report/$name
	cd "/tmp/buildpacks/$name" || exit 120
	status=0
	(
		for file in "${exports[@]}"; do . "$file"; done
		exec bin/compile /app /tmp/cache /tmp/env </dev/null
	) || status=$?
	echo "$status" >"$BUILD_REPORT/status"
	((status == 0)) || exit "$status"
	[[ ! -f export ]] || exports+=("$PWD/export")
	if [[ -x bin/release ]]; then
		bin/release /app >"$BUILD_REPORT/release" </dev/null || echo " !     bin/release of $name failed with status $?"
	fi
done
exit 0
