# shellcheck shell=bash
# Puts the app's Python first on PATH, and sets what servers of Python apps ask the environment for.
export VIRTUAL_ENV=/app/.paas/python
export PATH="$VIRTUAL_ENV/bin:$PATH"
export PYTHONPATH="/app${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONUNBUFFERED=${PYTHONUNBUFFERED-1}
export PYTHONHASHSEED=${PYTHONHASHSEED-random}
export LANG=${LANG-C.UTF-8}
# The router is the only one that connects, and it says who the visitor is.
export FORWARDED_ALLOW_IPS=${FORWARDED_ALLOW_IPS-*}
export GUNICORN_CMD_ARGS=${GUNICORN_CMD_ARGS---access-logfile -}
if [[ -z ${WEB_CONCURRENCY-} ]]; then
	paas_memory=${MEMORY_AVAILABLE-}
	if [[ -z $paas_memory ]]; then
		for paas_file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
			[[ -r $paas_file ]] && read -r paas_memory <"$paas_file" && break
		done
		# A number with more digits is the kernel's word for "no limit".
		if [[ $paas_memory =~ ^[0-9]{1,14}$ ]]; then paas_memory=$((paas_memory / 1048576)); else paas_memory=512; fi
	fi
	# One worker for each 256 MB, and not so many that they only wait for each other.
	paas_workers=$((paas_memory / 256))
	export WEB_CONCURRENCY=$((paas_workers < 1 ? 1 : paas_workers > 8 ? 8 : paas_workers))
	unset paas_memory paas_file paas_workers
fi
