//! A server that is being restarted: connections wait in its queue and nobody answers.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::Stdio;

use insta::assert_snapshot;

use crate::environment::TestEnvironment;

/// Returns what is told while nobody answers, and what when the queue is given up.
fn told(arguments: &[&str]) -> (String, String) {
    let env = TestEnvironment::new();
    let queue = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", queue.local_addr().unwrap());
    let mut command = env.command(arguments);
    let mut child = command.args(["--url", &url]).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut waiting = String::new();
    stderr.read_line(&mut waiting).unwrap();
    // The kernel resets what nobody took out of the queue.
    drop(queue);
    let mut end = String::new();
    stderr.read_to_string(&mut end).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    (waiting.replace(&url, "http://QUEUE"), end.replace(&url, "http://QUEUE"))
}

#[test]
fn a_wait_is_told_and_its_end_is_a_sentence() {
    let (waiting, end) = told(&["apps"]);
    assert_eq!(waiting, "Waiting for the server at http://QUEUE; it may be restarting.\n");
    assert_snapshot!(end, @"
    Error: cannot reach http://QUEUE: it ended the connection without an answer, so it is down or restarting
      Hint: Is `paasd serve` running? `paasctl doctor` checks the way to it.
    ");
}

#[test]
fn a_change_that_was_not_answered_may_have_been_made() {
    let (_, end) = told(&["apps:create", "shop"]);
    assert_snapshot!(end, @"
    Error: cannot reach http://QUEUE: it ended the connection without an answer, so it is down or restarting
      Hint: Is `paasd serve` running? `paasctl doctor` checks the way to it. Look whether the change was made before you ask for it again.
    ");
}
