//! What `paasd hook` is: the tests' servers let git run this.

fn main() -> std::process::ExitCode {
    git::hook::run_client()
}
