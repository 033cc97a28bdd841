//! The supervisor as a program of its own, for the tests: what `paasd supervise` is otherwise.

use std::process::ExitCode;

fn main() -> ExitCode {
    agent::supervise_main()
}
