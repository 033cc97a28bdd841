//! What a server asks of the platform's bucket goes through `object_store`, and not through the SDK: which calls these are is read
//! from the code that has such a store.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::calls::{allowed, sources};

/// The permissions that calls of `ObjectStore` need, as its client for S3 carries them out. What is written in parts and fails is
/// aborted.
const NEEDS: &[(&str, &[&str])] = &[
    ("copy", &["s3:GetObject", "s3:PutObject"]),
    ("delete", &["s3:DeleteObject"]),
    ("delete_stream", &["s3:DeleteObject"]),
    ("get", &["s3:GetObject"]),
    ("get_opts", &["s3:GetObject"]),
    ("get_range", &["s3:GetObject"]),
    ("get_ranges", &["s3:GetObject"]),
    ("head", &["s3:GetObject"]),
    ("list", &["s3:ListBucket"]),
    ("list_with_delimiter", &["s3:ListBucket"]),
    ("put", &["s3:PutObject"]),
    ("put_multipart", &["s3:AbortMultipartUpload", "s3:PutObject"]),
    ("put_opts", &["s3:PutObject"]),
    ("rename", &["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]),
];

/// Returns the permissions for what a source asks of a store, if it has one: what stands behind `store` or the one field of a type.
fn asked(source: &str) -> BTreeSet<String> {
    let product = source.split("#[cfg(test)]").next().unwrap_or_default();
    let flat: String = product.split_whitespace().collect();
    if !flat.contains("object_store") {
        return BTreeSet::new();
    }
    let asks = |method: &str| ["store.", "self.0."].iter().any(|of| flat.contains(&format!("{of}{method}(")));
    let needs = NEEDS.iter().filter(|(method, _)| asks(method)).flat_map(|(_, needs)| needs.iter());
    needs.map(|permission| (*permission).to_owned()).collect()
}

#[test]
fn the_control_planes_policy_allows_what_is_asked_of_the_bucket_and_no_more() {
    let server = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let files = ["slug/src", "src"].into_iter().flat_map(|part| sources(&server.join(part)));
    let sources = files.filter(|path| path.extension().is_some_and(|kind| kind == "rs"));
    let needed: BTreeSet<String> =
        sources.flat_map(|path| asked(&fs::read_to_string(path).unwrap())).collect();
    let allowed: BTreeSet<String> =
        allowed("control").into_iter().filter(|call| call.starts_with("s3:")).collect();
    assert_eq!(allowed, needed);
}
