//! Builds the crate anew when a migration is added, which cargo cannot see inside a macro.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations");
}
