//! Decides the environment of a replica and the command that starts it.

use model::replica::ReplicaSpec;

/// Runs inside the sandbox, in `/app`: profile scripts, then the command line in place of the shell.
///
/// As on Heroku: <https://devcenter.heroku.com/articles/profile>. Scripts run with the shell's usual leniency.
const START: &str = r#"for _script in /app/.profile.d/*.sh; do
    if [ -f "$_script" ]; then . "$_script"; fi
done
unset _script
if [ -f /app/.profile ]; then . /app/.profile; fi
exec /bin/bash --norc --noprofile -c "$1""#;

/// Returns the program and arguments that run a command line as a replica does.
pub(crate) fn command(command_line: &str) -> Vec<String> {
    let words = ["/bin/bash", "--norc", "--noprofile", "-c", START, "bash", command_line];
    words.map(str::to_owned).to_vec()
}

/// Returns the variables of a replica, without those that every program of the stack has.
///
/// What names the replica is the platform's to say; what tells of the app can be overruled by its config.
/// `PORT` is there only for what is given a port.
pub(crate) fn variables(spec: &ReplicaSpec, port: Option<u16>) -> Vec<(String, String)> {
    let told = [
        ("PAAS_APP", spec.app_name.to_string()),
        ("PAAS_RELEASE", spec.release.to_string()),
        ("PAAS_MEMORY_MB", spec.size.memory_mb().to_string()),
        // The dyno metadata of Heroku: <https://devcenter.heroku.com/articles/dyno-metadata>.
        ("HEROKU_APP_ID", spec.app.to_string()),
        ("HEROKU_APP_NAME", spec.app_name.to_string()),
        ("HEROKU_DYNO_ID", spec.id.to_string()),
        ("HEROKU_RELEASE_VERSION", spec.release.to_string()),
    ];
    let set = [("DYNO", Some(spec.name())), ("PS", Some(spec.name())), ("PORT", port.map(|port| port.to_string()))];
    let config = spec.config.iter().map(|(key, value)| (key.to_string(), value.reveal().to_owned()));
    let set = set.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    told.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(config).chain(set).collect()
}
