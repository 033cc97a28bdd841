//! Help, completions and colours: what is told without asking a server.

use insta::assert_snapshot;

use crate::environment::TestEnvironment;

#[test]
fn help_of_a_command_ends_with_a_transcript() {
    let env = TestEnvironment::new();
    assert_snapshot!(env.run(&["open", "--help"]), @"
    Open the app in a browser and print its address

    Usage: paasctl open [OPTIONS]

    Options:
      -a, --app <APP>  The app; otherwise `PAASCTL_APP`, or the one of the git
                       remote `paas`
          --json       Print JSON and nothing else on stdout
      -h, --help       Print help

    Server:
          --url <URL>      The server's address; otherwise `PAASCTL_URL`, or the one
                           of `paasctl login`
          --token <TOKEN>  The token; otherwise `PAASCTL_TOKEN`, or the one of
                           `paasctl login`

    Example:
      $ paasctl open -a shop
      http://shop.localhost:8080
    ");
}

#[test]
fn without_arguments_the_overview_is_shown() {
    let env = TestEnvironment::new();
    let shown = env.run(&[]);
    assert!(shown.contains("What runs:\n  ps  ") && !shown.contains("exit"), "{shown}");
    assert_eq!(shown, env.run(&["--help"]));
}

#[test]
fn completions_know_commands_with_a_colon() {
    let env = TestEnvironment::new();
    let script = env.work().join("paasctl.bash");
    std::fs::write(&script, env.run(&["completions", "bash"])).unwrap();
    let complete = "source paasctl.bash; COMP_WORDS=(paasctl ps:sc); COMP_CWORD=1; _paasctl paasctl ps:sc paasctl; \
                    echo \"${COMPREPLY[@]}\"";
    let output = env.bare("bash").args(["-c", complete]).output().unwrap();
    assert_snapshot!(env.shown(&output), @"ps:scale");
    for shell in ["zsh", "fish"] {
        assert!(env.run(&["completions", shell]).contains("ps:scale"), "{shell}");
    }
}

#[test]
fn no_colours_without_a_terminal() {
    let env = TestEnvironment::new();
    for arguments in [&["--help"][..], &["ps:scale", "--help"], &["frob"]] {
        assert!(!env.run(arguments).contains('\u{1b}'));
    }
}
