//! Bytecode is compiled for all packages or the build fails: what is not compiled starts slowly, and each time.

use std::path::Path;
use std::process::Command;

use build::FailureKind;

use crate::world::App;

/// Writes a module that takes a second and much memory to compile, alone or in a wheel.
const HUGE: &str = "import sys, zipfile\n\
    code = 'x = [' + '[1, 2], ' * 400_000 + ']\\n'\n\
    name = 'huge-1.0.dist-info/'\n\
    if sys.argv[1].endswith('.py'):\n    open(sys.argv[1], 'w').write(code); sys.exit()\n\
    with zipfile.ZipFile(sys.argv[1], 'w') as wheel:\n    \
        wheel.writestr('huge.py', code)\n    \
        wheel.writestr(name + 'METADATA', 'Metadata-Version: 2.1\\nName: huge\\nVersion: 1.0\\n')\n    \
        wheel.writestr(name + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n    \
        wheel.writestr(name + 'RECORD', 'huge.py,,\\n' + ''.join(name + file + ',,\\n' for file in ('METADATA', 'WHEEL', 'RECORD')))\n";

fn write_huge(path: &Path) {
    let status = Command::new("/usr/bin/python3").args(["-c", HUGE]).arg(path).status();
    assert!(status.unwrap().success());
}

#[test]
fn a_compiler_that_is_killed_is_told_in_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", "import sys; print(*sys.version_info[:2], sep='.')"]);
    let version = String::from_utf8(python.output().unwrap().stdout).unwrap();
    let packages = dir.path().join(format!("lib/python{}/site-packages", version.trim()));
    std::fs::create_dir_all(&packages).unwrap();
    write_huge(&packages.join("huge.py"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../buildpacks/python/lib/finish.py");
    // The kernel ends each process after its own second of the processor.
    let mut finish = Command::new("bash");
    finish.args(["-c", "ulimit -t 1; exec /usr/bin/python3 -B -S -s \"$@\"", "finish", script, "fresh"]);
    let ended = finish.arg(dir.path()).arg(dir.path()).args(["", "none"]).output().unwrap();
    let told = String::from_utf8(ended.stdout).unwrap();
    let sentence =
        "fail\tthe packages could not be compiled to bytecode: a compiler was killed by signal 9\n";
    assert!(told.starts_with(sentence) && !told.contains("\nweb"), "{told}");
}

#[tokio::test]
async fn a_build_without_the_memory_to_compile_its_packages_fails() {
    let mut app = App::new();
    if !app.host.cgroups.has(sandbox::Controller::Memory) {
        return; // An ordinary user's host cannot limit memory.
    }
    app.limits.memory_mb = 300;
    let request = app.request(&[("requirements.txt", "./huge-1.0-py3-none-any.whl\n")]);
    write_huge(&request.source.join("huge-1.0-py3-none-any.whl"));
    let ended = app.run(request).await;
    assert_eq!(ended.failure().kind, FailureKind::OutOfMemory, "{}", ended.log);
    assert!(ended.log.contains("+ huge==1.0"), "it did not come to compiling: {}", ended.log);
}
