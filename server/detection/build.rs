//! Builds the crate again when a buildpack changes: `include_dir` alone would not notice.

fn main() {
    let cargo = "cargo::rerun-if-changed=../../buildpacks";
    #[expect(clippy::print_stdout, reason = "this is how a build script talks to cargo")]
    {
        println!("{cargo}");
    }
}
