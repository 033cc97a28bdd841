//! Builds the crate again when a buildpack changes: `include_dir` alone would not notice.

fn main() {
    println!("cargo::rerun-if-changed=../../buildpacks");
}
