//! Sources that are uploaded: they become commits, or a sentence says why not.

use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use model::access::Scope;
use serde_json::{Value, json};
use tar::{EntryType, Header};

use crate::server::Server;

pub(crate) fn archive(entries: &[(&str, EntryType, u32, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, kind, mode, content) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        // Written by hand, as somebody would who means harm.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        if *kind == EntryType::Symlink {
            header.set_link_name_literal(content).unwrap();
            header.set_size(0);
        } else {
            header.set_size(content.len() as u64);
        }
        header.set_cksum();
        let content = if *kind == EntryType::Symlink { "" } else { content };
        builder.append(&header, content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

pub(crate) fn upload(server: &Server, bytes: Vec<u8>) -> Value {
    let blob = server.ask("POST", "/sources").expect(201)["source_blob"].clone();
    server.bare("PUT", blob["put_url"].as_str().unwrap()).bytes(bytes).expect(200);
    json!({ "source_blob": { "url": blob["get_url"], "version": "v1.2", "checksum": null } })
}

#[test]
fn an_uploaded_source_becomes_a_commit_that_is_queued() {
    let server = Server::start();
    server.ask("POST", "/apps").body(json!({ "name": "shop" })).expect(201);
    let bytes = archive(&[
        ("./", EntryType::Directory, 0o755, ""),
        ("./Procfile", EntryType::Regular, 0o644, "web: ./serve\n"),
        ("./bin/a \"b\" \\ ü", EntryType::Regular, 0o755, "#!/bin/sh\n"),
        ("./link", EntryType::Symlink, 0o777, "bin"),
        ("./.git/hooks/post-update", EntryType::Regular, 0o755, "left out"),
    ]);
    let build = server.ask("POST", "/apps/shop/builds").body(upload(&server, bytes)).expect(201);
    assert_eq!((&build["status"], &build["state"]), (&json!("pending"), &json!("queued")));
    assert_eq!((&build["commit"]["subject"], &build["branch"]), (&json!("v1.2"), &Value::Null));
    let repository = server.platform.repositories.repository(&server.app("shop").id.to_string()).unwrap();
    let tree = Command::new("git")
        .args(["-c", "core.quotePath=false", "-c", "safe.directory=*", "--git-dir"])
        .arg(repository.path())
        .args(["ls-tree", "-r", build["commit"]["id"].as_str().unwrap()])
        .output()
        .unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    let modes: Vec<_> = tree.lines().map(|line| (&line[..6], line.split_once('\t').unwrap().1)).collect();
    let expected = [("100644", "Procfile"), ("100755", "\"bin/a \\\"b\\\" \\\\ ü\""), ("120000", "link")];
    assert_eq!(modes, expected);
    let id = build["id"].as_str().unwrap();
    assert_eq!(server.get("/apps/shop/builds")[0]["id"], id);
    let path = format!("/apps/shop/builds/{id}/actions/cancel");
    assert_eq!(server.ask("POST", &path).expect(202)["state"], "cancelled");
    let output = server.bare("GET", build["output_stream_url"].as_str().unwrap()).send();
    assert_eq!((output.status, output.text.as_str()), (200, ""));
}

#[test]
fn a_source_that_leads_out_or_is_none_is_refused() {
    let server = Server::start();
    server.ask("POST", "/apps").body(json!({ "name": "shop" })).expect(201);
    let refuse = |bytes: Vec<u8>, why: &str| {
        let refused = server.ask("POST", "/apps/shop/builds").body(upload(&server, bytes)).expect(422);
        assert!(refused["message"].as_str().unwrap().contains(why), "{refused}");
    };
    refuse(archive(&[("../evil", EntryType::Regular, 0o644, "x")]), "leads out");
    refuse(archive(&[("/etc/evil", EntryType::Regular, 0o644, "x")]), "leads out");
    refuse(archive(&[("pipe", EntryType::Fifo, 0o644, "")]), "neither file");
    refuse(b"no archive at all".to_vec(), "not a whole tar.gz");
    let whole = archive(&[("a", EntryType::Regular, 0o644, &"x".repeat(100_000))]);
    refuse(whole[..whole.len() / 2].to_vec(), "not a whole tar.gz");
    let foreign = json!({ "source_blob": { "url": "http://example.org/a.tgz" } });
    let refused = server.ask("POST", "/apps/shop/builds").body(foreign).expect(422);
    assert!(refused["hint"].as_str().unwrap().contains("POST /sources"), "{refused}");
    server.ask("POST", "/apps/shop/builds").expect(422);
    assert_eq!(server.get("/apps/shop/builds"), json!([]));
}

#[test]
fn a_source_beyond_the_limit_is_refused_and_leaves_nothing() {
    let server = Server::start();
    let blob = server.ask("POST", "/sources").expect(201)["source_blob"].clone();
    let url = blob["put_url"].as_str().unwrap();
    assert_eq!(server.bare("PUT", url).bytes(vec![7; 1_100_000]).send().status, 413);
    assert_eq!(server.bare("GET", url).send().status, 404);
    let left = std::fs::read_dir(server.platform.options.dir("uploads")).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn an_upload_is_gone_once_it_was_imported() {
    let server = Server::start();
    server.ask("POST", "/apps").body(json!({ "name": "shop" })).expect(201);
    let source = upload(&server, archive(&[("a", EntryType::Regular, 0o644, "x")]));
    server.ask("POST", "/apps/shop/builds").body(&source).expect(201);
    let left = std::fs::read_dir(server.platform.options.dir("uploads")).unwrap().count();
    assert_eq!(left, 0);
    let again = server.ask("POST", "/apps/shop/builds").body(&source).expect(422);
    assert!(again["message"].as_str().unwrap().contains("nothing lies"), "{again}");
}

#[test]
fn who_may_only_read_gets_no_address_to_upload_to() {
    let server = Server::start();
    let (_, reading) = server.user("ann@example.org", Scope::Read);
    assert_eq!(server.bare("POST", "/sources").token(&reading).expect(403)["id"], "forbidden");
    let (_, writing) = server.user("ann@example.org", Scope::Write);
    server.bare("POST", "/sources").token(&writing).expect(201);
}
