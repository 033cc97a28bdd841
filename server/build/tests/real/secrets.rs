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

#[tokio::test]
async fn no_value_is_in_the_words_of_a_failure_or_in_what_a_developer_prints() {
    let mut app = App::new();
    app.set("API_KEY", "sk-Tr0ub4dor&3");
    let hook = "#!/bin/sh\necho \"index $UV_INDEX\"\nprintf 'refused %s\\nset %s\\n' \"$API_KEY\" \"$API_KEY\" \
                >\"$BUILD_REPORT/failure\"\nchmod 400 \"$BUILD_REPORT/failure\"\nexit 1\n";
    let mut request = app.request(&[("setup.py", ""), ("bin/pre_compile", hook)]);
    request.build_env.insert("UV_INDEX".into(), "https://bot:s3cr3tpw@index.invalid/simple".into());
    let (shown, log) = (format!("{request:?}"), request.work_dir.join("other-log"));
    let log = build::BuildLog::open(&log, &request.config).unwrap();
    assert!(shown.contains("UV_INDEX") && shown.contains("API_KEY"), "{shown}");
    let ended = app.run(request).await;
    assert!(ended.log.contains("index https://[hidden: UV_INDEX]index.invalid/simple"), "{}", ended.log);
    for shown in [shown, format!("{log:?}"), format!("{:?}", ended.failure()), ended.log] {
        assert!(!shown.contains("Tr0ub4dor") && !shown.contains("s3cr3tpw"), "{shown}");
        assert!(!shown.contains("84, 114, 48, 117"), "the bytes of a pattern: {shown}");
    }
    assert!(ended.result.unwrap_err().reason.contains("[hidden: API_KEY]"));
}
