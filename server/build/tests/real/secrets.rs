//! Config values: there for the build, nowhere else.

use crate::world::App;

/// A package whose build prints what it sees of the config.
const NOSY: &str = "import base64, glob, os, sys\n\
    from setuptools import setup\n\
    value = open('/tmp/env/API_KEY').read()\n\
    for shown in (value, base64.b64encode(('x' + value).encode()).decode(), value[::-1]):\n    sys.stderr.write(shown + '\\n')\n\
    sys.stderr.write('others: %s\\n' % glob.glob('/tmp/env/*'))\n\
    sys.stderr.flush()\n\
    raise SystemExit('environment: ' + os.environ['API_KEY'])\n";

#[tokio::test]
async fn a_value_reaches_the_build_and_is_hidden_in_its_log_and_nowhere_on_disk() {
    let mut app = App::new();
    app.set("API_KEY", "sk-Tr0ub4dor&3");
    let ended = app.push(&[("setup.py", NOSY)]).await;
    assert!(ended.log.contains("[hidden: API_KEY]"), "{}", ended.log);
    assert!(ended.log.contains("3&rod4bu0rT-ks"), "the value did not reach the build:\n{}", ended.log);
    assert!(!ended.log.contains("sk-Tr0ub4dor") && !ended.log.contains("LVRyMHViNGRvc"), "{}", ended.log);
    let mut grep = std::process::Command::new("grep");
    let found = grep.args(["-rlF", "sk-Tr0ub4dor"]).arg(app.dir.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
}

#[tokio::test]
async fn detection_sees_no_config_and_the_build_sees_nothing_of_the_host() {
    let mut app = App::new();
    app.set("API_KEY", "sk-Tr0ub4dor&3");
    let spy = "import os, sys\nfrom setuptools import setup\n\
               print(sorted(os.listdir('/')), os.path.exists('/root/.bashrc'), os.getuid(), file=sys.stderr)\nsys.exit(1)\n";
    let ended = app.push(&[("setup.py", spy)]).await;
    assert!(ended.log.contains("'tmp', 'usr', 'var'] False 250001"), "{}", ended.log);
    assert!(!ended.log.contains("'work'") && !ended.log.contains("'home'"), "{}", ended.log);
}
