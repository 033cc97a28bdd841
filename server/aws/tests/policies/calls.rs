//! Which calls the code makes, read from the code itself, and whether the policies allow exactly these.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::policy;
use crate::evaluation::one_or_many;

/// What AWS asks for besides the call that is made: for tags in it, for roles it hands on, for a role that AWS makes itself.
const IMPLIED: &[&str] = &[
    "ec2:CreateTags",
    "elasticloadbalancing:AddTags",
    "iam:CreateServiceLinkedRole",
    "iam:ListRolePolicies",
    "iam:PassRole",
    "iam:TagInstanceProfile",
    "iam:TagRole",
    "s3:DeleteObject",
];

/// Calls whose permission is not called like them.
const OTHERWISE: &[(&str, &str)] = &[
    ("s3:DeleteObjects", "s3:DeleteObjectVersion"),
    ("s3:GetBucketEncryption", "s3:GetEncryptionConfiguration"),
    ("s3:GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration"),
    ("s3:GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock"),
    ("s3:HeadBucket", "s3:ListBucket"),
    ("s3:HeadObject", "s3:GetObject"),
    ("s3:ListObjectsV2", "s3:ListBucket"),
    ("s3:ListObjectVersions", "s3:ListBucketVersions"),
    ("s3:PutBucketEncryption", "s3:PutEncryptionConfiguration"),
    ("s3:PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
    ("s3:PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
];

/// Returns all files below a directory.
pub(crate) fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// Returns the permissions that a source names: what stands in `.of("…")`.
fn named(source: &str) -> BTreeSet<String> {
    let names = source.split(".of(\"").skip(1).filter_map(|rest| rest.split('"').next());
    names.filter(|name| name.contains(':')).map(str::to_owned).collect()
}

/// Returns the permissions for the calls that a source makes: what stands behind a client.
fn called(source: &str) -> BTreeSet<String> {
    let services = [
        ("ec2", "ec2"),
        ("elb", "elasticloadbalancing"),
        ("iam", "iam"),
        ("route53", "route53"),
        ("s3", "s3"),
        ("sts", "sts"),
    ];
    let flat: String = source.split_whitespace().collect();
    let mut calls = BTreeSet::new();
    for (client, service) in services {
        for behind in flat.split(&format!("{client}.")).skip(1) {
            let Some((method, _)) = behind.split_once("()") else { continue };
            // `build` makes a client.
            let is_call = !method.is_empty() && method != "build";
            if is_call && method.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
                let call = format!("{service}:{}", camel(method));
                let known = OTHERWISE.iter().find(|(name, _)| *name == call);
                calls.insert(known.map_or(call, |(_, permission)| (*permission).to_owned()));
            }
        }
    }
    calls
}

fn camel(method: &str) -> String {
    method.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

/// Returns the actions that a policy allows on anything.
pub(crate) fn allowed(name: &str) -> BTreeSet<String> {
    let policy = policy(name);
    let statements = policy["Statement"].as_array().unwrap().iter();
    let allow = statements.filter(|statement| statement["Effect"] == "Allow");
    allow.flat_map(|statement| one_or_many(&statement["Action"])).collect()
}

#[test]
fn every_call_names_the_permission_that_it_needs() {
    let mut seen = 0;
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let source = fs::read_to_string(&path).unwrap();
        let (called, named) = (called(&source), named(&source));
        assert_eq!(called, named, "{}", path.display());
        seen += called.len();
    }
    assert!(seen > 60, "the calls are not found in the code: {seen}");
}

#[test]
fn the_installers_policy_allows_what_set_up_baking_and_the_control_planes_machine_call_and_no_more() {
    let mut needed: BTreeMap<String, PathBuf> = BTreeMap::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in ["setup", "bake", "control", "dns"].into_iter().flat_map(|part| sources(&source.join(part))) {
        let calls = named(&fs::read_to_string(&path).unwrap());
        needed.extend(calls.into_iter().map(|call| (call, path.clone())));
    }
    let allowed = allowed("installer");
    for (call, path) in &needed {
        assert!(allowed.contains(call), "{} makes the call {call}", path.display());
    }
    let own = ["sts:GetCallerIdentity"];
    let beyond: Vec<_> = allowed
        .iter()
        .filter(|call| !needed.contains_key(*call))
        .filter(|call| !IMPLIED.contains(&call.as_str()) && !own.contains(&call.as_str()))
        .collect();
    assert!(beyond.is_empty(), "nothing needs {beyond:?}");
}

#[test]
fn the_control_planes_policy_allows_what_is_asked_of_ec2_and_no_more() {
    assert_needs("ec2:");
}

#[test]
fn the_control_planes_policy_allows_what_is_asked_of_load_balancers_and_no_more() {
    assert_needs("elasticloadbalancing:");
}

#[test]
fn the_control_planes_policy_allows_what_is_asked_of_dns_and_no_more() {
    assert_needs("route53:");
}

/// Fails the test unless the control plane may do exactly what a server asks of a service.
#[track_caller]
fn assert_needs(service: &str) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let counts = |call: &String| call.starts_with(service) && !IMPLIED.contains(&call.as_str());
    let files = ["fleet", "entrance", "dns"].into_iter().flat_map(|part| sources(&source.join(part)));
    let calls = files.flat_map(|path| named(&fs::read_to_string(path).unwrap()));
    let needed: BTreeSet<String> = calls.filter(counts).collect();
    let allowed: BTreeSet<String> = allowed("control").into_iter().filter(counts).collect();
    assert_eq!(allowed, needed);
}
