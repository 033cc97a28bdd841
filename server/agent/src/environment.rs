//! Decides the environment of a replica and the command that starts it.

use model::config::ConfigValue;
use model::image::ImageConfig;
use model::replica::ReplicaSpec;
use sandbox::Environment;

/// Runs inside the sandbox, in `/app`: profile scripts, then the command line.
///
/// As on Heroku (<https://devcenter.heroku.com/articles/profile>), scripts run with the shell's usual leniency. And
/// as there, SIGTERM goes to all processes and each has the same time to end: the command may be a shell that goes
/// at once, so this one stays until the others have gone too. What it would itself say about a command that was
/// ended by a signal is not the app's business.
const START: &str = r#"for _paas in /app/.profile.d/*.sh; do
    if [ -f "$_paas" ]; then . "$_paas"; fi
done
if [ -f /app/.profile ]; then . /app/.profile; fi
set +eu
unset _paas
trap _paas=1 TERM
{ /bin/bash --norc --noprofile -c "$1" 2>&3 3>&-; } 3>&2 2>/dev/null
_paas_status=$?
_paas_others() {
    local process
    for process in /proc/[0-9]*; do
        case ${process#/proc/} in 1|$$) ;; *) return 0 ;; esac
    done
    return 1
}
while [ -n "$_paas" ] && _paas_others; do /bin/sleep 0.02; done
exit $_paas_status"#;

/// Where programs of an image are looked for that does not say, as Docker has it.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Returns the program and arguments that run a command line as a replica does.
pub(crate) fn command(command_line: &str) -> Vec<String> {
    let words = ["/bin/bash", "--norc", "--noprofile", "-c", START, "bash", command_line];
    words.map(str::to_owned).to_vec()
}

/// Returns the variables that an image has by itself, but for those that no shell could pass on.
pub(crate) fn of_image(image: &ImageConfig) -> Environment {
    let mut environment = Environment::default();
    let home = if image.home.is_empty() { "/" } else { &image.home };
    let first = [("HOME", home), ("PATH", PATH)];
    let own = image.env.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in first.into_iter().chain(own) {
        let _ = environment.set(name, value);
    }
    environment
}

/// Returns the variables of a replica, without those that every program of the stack has.
///
/// What tells of the replica and its release is the platform's to say (`ConfigKey` refuses it as a config var); the
/// app's names in Heroku's words can be overruled by its config. `PORT` is there only for what is given a port.
pub(crate) fn variables(spec: &ReplicaSpec, port: Option<u16>) -> Vec<(String, ConfigValue)> {
    // The dyno metadata of Heroku: <https://devcenter.heroku.com/articles/dyno-metadata>.
    let told = [("HEROKU_APP_ID", spec.app.to_string()), ("HEROKU_APP_NAME", spec.app_name.to_string())];
    let set = [
        ("PAAS_APP", spec.app_name.to_string()),
        ("PAAS_RELEASE", spec.release.to_string()),
        ("PAAS_MEMORY_MB", spec.size.memory_mb().to_string()),
        ("HEROKU_DYNO_ID", spec.id.to_string()),
        ("HEROKU_RELEASE_VERSION", spec.release.to_string()),
        ("DYNO", spec.name()),
        ("PS", spec.name()),
    ];
    let named = |(name, value): (&str, String)| (name.to_owned(), value.into());
    let config = spec.config.iter().map(|(key, value)| (key.to_string(), value.clone()));
    let port = port.map(|port| ("PORT", port.to_string()));
    told.into_iter().map(named).chain(config).chain(set.into_iter().chain(port).map(named)).collect()
}
