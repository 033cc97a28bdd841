# Runs bin/detect of each buildpack named in the arguments, in its own directory and with a trace of its own.
for name in "$@"; do
	cd "/tmp/buildpacks/$name" || exit 120
	status=0
	DETECTION_TRACE=/tmp/report/$name/trace bin/detect /app >"/tmp/report/$name/said" 2>&1 </dev/null || status=$?
	echo "$status" >"/tmp/report/$name/detected"
done
