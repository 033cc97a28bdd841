//! The real server, asked over real connections.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod server;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use server::{Server, site};

fn plain_site() -> tempfile::TempDir {
    site(&[
        ("index.html", "<h1>home</h1>"),
        ("404.html", "<h1>lost</h1>"),
        ("about.html", "about us"),
        ("docs/index.html", "docs"),
        ("app.js", "let a = 1;"),
        ("app.3f9a8c1b.js", "let b = 2;"),
        ("ü b.txt", "unicode"),
        (".env", "SECRET=1"),
        (".git/config", "secret"),
        (".well-known/security.txt", "contact"),
        ("Procfile", "web: static"),
        ("empty/.keep", ""),
    ])
}

#[test]
fn files_folders_and_pages_are_found_under_their_names() {
    let root = plain_site();
    let server = Server::start(root.path(), &[]);
    for (path, body) in [
        ("/", "<h1>home</h1>"),
        ("/docs/", "docs"),
        ("/app.js", "let a = 1;"),
        ("/about.html", "about us"),
        ("/%C3%BC%20b.txt", "unicode"),
        ("/.well-known/security.txt", "contact"),
        ("//app.js?x=1", "let a = 1;"),
    ] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.text()), (200, body.to_owned()), "{path}");
    }
    assert_eq!(server.get("/").header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(server.get("/app.js").header("content-type"), Some("text/javascript; charset=utf-8"));
}

#[test]
fn what_is_not_there_or_not_for_visitors_is_the_404_page() {
    let root = plain_site();
    let server = Server::start(root.path(), &[]);
    for path in [
        "/nothing",
        "/about",
        "/.env",
        "/.git/config",
        "/.git/",
        "/%2eenv",
        "/../Cargo.toml",
        "/docs/../.env",
        "/%2e%2e/etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/Procfile",
        "/empty/",
        "/empty",
        "/app.js/",
        "/%00",
        "/%ff",
    ] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.text()), (404, "<h1>lost</h1>".to_owned()), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-cache"), "{path}");
    }
}

#[test]
fn without_pages_of_its_own_a_site_says_404_and_lists_nothing() {
    let root = site(&[("a/b.txt", "b")]);
    let server = Server::start(root.path(), &[]);
    for path in ["/", "/a", "/a/"] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.text()), (404, "404 Not Found\n".to_owned()), "{path}");
    }
}

#[test]
fn a_folder_without_its_slash_is_redirected_on_this_host_only() {
    let root = plain_site();
    let server = Server::start(root.path(), &[]);
    let answer = server.get("/docs?x=1");
    assert_eq!((answer.status, answer.header("location")), (301, Some("/docs/?x=1")));
    assert_eq!(server.get("//docs").header("location"), Some("/docs/"));
    assert_eq!(server.get("//example.org/..").status, 404);
}

#[test]
fn links_out_of_the_root_and_to_hidden_files_are_refused() {
    let root = plain_site();
    let outside = site(&[("secret.txt", "secret")]);
    symlink(outside.path().join("secret.txt"), root.path().join("link.txt")).unwrap();
    symlink(outside.path(), root.path().join("folder")).unwrap();
    symlink(".env", root.path().join("env.txt")).unwrap();
    symlink("about.html", root.path().join("inside.html")).unwrap();
    symlink(outside.path().join("secret.txt"), root.path().join("app.js.gz")).unwrap();
    let server = Server::start(root.path(), &[]);
    for path in ["/link.txt", "/folder/secret.txt", "/env.txt", "/app.js"] {
        assert_eq!(server.request("GET", path, &["Accept-Encoding: gzip"]).status, 404, "{path}");
    }
    assert_eq!(server.get("/inside.html").text(), "about us");
}

#[test]
fn a_client_asks_by_content_and_never_by_time() {
    let root = plain_site();
    let server = Server::start(root.path(), &[]);
    let first = server.get("/app.js");
    let tag = first.header("etag").unwrap();
    assert_eq!(first.header("last-modified"), None);

    let again = server.request("GET", "/app.js", &[&format!("If-None-Match: \"x\", {tag}")]);
    assert_eq!((again.status, again.text(), again.header("etag")), (304, String::new(), Some(tag)));
    for stale in
        ["If-None-Match: \"x\"", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT", "If-Match: \"x\""]
    {
        assert_eq!(server.request("GET", "/app.js", &[stale]).text(), "let a = 1;", "{stale}");
    }
    fs::write(root.path().join("app.js"), "let a = 3;").unwrap();
    assert_ne!(server.get("/app.js").header("etag"), Some(tag));
}

#[test]
fn each_kind_of_file_says_how_long_it_may_be_kept() {
    let root = plain_site();
    let server = Server::start(root.path(), &[]);
    for (path, expected) in [
        ("/", "no-cache"),
        ("/app.js", "public, max-age=3600, must-revalidate"),
        ("/app.3f9a8c1b.js", "public, max-age=31536000, immutable"),
    ] {
        assert_eq!(server.get(path).header("cache-control"), Some(expected), "{path}");
    }
}

#[test]
fn parts_and_heads_of_files_are_served() {
    let root = plain_site();
    let server = Server::start(root.path(), &[]);
    let tag = server.get("/app.js").header("etag").unwrap().to_owned();
    let part = |condition: &str| server.request("GET", "/app.js", &["Range: bytes=4-6", condition]);
    let answer = part("X: 1");
    assert_eq!((answer.status, answer.text()), (206, "a =".to_owned()));
    assert_eq!(answer.header("content-range"), Some("bytes 4-6/10"));
    assert_eq!(part(&format!("If-Range: {tag}")).status, 206);
    assert_eq!(part("If-Range: \"other\"").text(), "let a = 1;");
    let missing = server.request("GET", "/nothing", &["Range: bytes=0-1"]);
    assert_eq!((missing.status, missing.text()), (404, "<h1>lost</h1>".to_owned()));
    let head = server.request("HEAD", "/app.js", &[]);
    assert_eq!((head.status, head.header("content-length"), head.text()), (200, Some("10"), String::new()));
    assert_eq!(server.request("POST", "/", &["Content-Length: 0"]).header("allow"), Some("GET, HEAD"));
}

#[test]
fn text_is_compressed_for_those_who_accept_it_and_siblings_are_preferred() {
    let text = "all work and no play ".repeat(100);
    let root = site(&[("a.txt", &text), ("b.txt", &text), ("c.png", &text), ("small.txt", "x")]);
    let mut sibling = GzEncoder::new(Vec::new(), Compression::best());
    sibling.write_all(b"from the sibling").unwrap();
    fs::write(root.path().join("b.txt.gz"), sibling.finish().unwrap()).unwrap();
    let server = Server::start(root.path(), &[]);
    let unpacked = |path| {
        let answer = server.request("GET", path, &["Accept-Encoding: gzip"]);
        assert_eq!(answer.header("content-encoding"), Some("gzip"), "{path}");
        assert!(answer.header("vary").unwrap().eq_ignore_ascii_case("accept-encoding"));
        let mut unpacked = String::new();
        GzDecoder::new(&answer.body[..]).read_to_string(&mut unpacked).unwrap();
        (unpacked, answer)
    };
    let (body, answer) = unpacked("/a.txt");
    assert_eq!(body, text);
    assert_eq!(unpacked("/b.txt").0, "from the sibling");
    for path in ["/c.png", "/small.txt"] {
        assert_eq!(server.request("GET", path, &["Accept-Encoding: gzip"]).header("content-encoding"), None);
    }
    let tag = answer.header("etag").unwrap();
    assert_ne!(server.get("/a.txt").header("etag"), Some(tag));
    assert_eq!(server.request("GET", "/a.txt", &[&format!("If-None-Match: {tag}")]).status, 304);
}

#[test]
fn a_single_page_app_answers_every_path_but_keeps_its_files() {
    let root = site(&[("200.html", "app"), ("index.html", "home"), ("a.js", "js")]);
    let server = Server::start(root.path(), &[]);
    assert_eq!(server.get("/users/1").text(), "app");
    assert_eq!((server.get("/").text(), server.get("/a.js").text()), ("home".to_owned(), "js".to_owned()));
    assert_eq!(server.get("/.env").status, 404);
}

#[test]
fn static_json_configures_the_site() {
    let root = site(&[
        ("dist/index.html", "home"),
        ("dist/about.html", "about"),
        ("dist/errors/gone.html", "gone"),
        ("dist/admin/app.html", "admin"),
        ("index.html", "not this"),
        (
            "static.json",
            r#"{
            "root": "dist/", "clean_urls": true, "error_page": "errors/gone.html",
            "routes": {"/admin/**": "admin/app.html"},
            "redirects": {"/old/*": {"url": "/about", "status": 302}},
            "headers": {"/**": {"X-Frame-Options": "DENY"}, "/about": {"Cache-Control": "no-store"}}
        }"#,
        ),
    ]);
    let config = root.path().join("static.json");
    let server = Server::start(root.path(), &["--config", config.to_str().unwrap()]);
    assert_eq!(server.get("/").text(), "home");
    assert_eq!(server.get("/admin/users/1").text(), "admin");
    let about = server.get("/about");
    assert_eq!((about.text(), about.header("cache-control")), ("about".to_owned(), Some("no-store")));
    assert_eq!(about.header("x-frame-options"), Some("DENY"));
    let missing = server.get("/nothing");
    assert_eq!((missing.status, missing.text()), (404, "gone".to_owned()));
    let moved = server.get("/old/page");
    assert_eq!((moved.status, moved.header("location")), (302, Some("/about")));
}

#[test]
fn https_only_sends_visitors_without_tls_away() {
    let root = site(&[("index.html", "home"), ("static.json", r#"{"https_only": true}"#)]);
    let config = root.path().join("static.json");
    let server = Server::start(root.path(), &["--config", config.to_str().unwrap()]);
    let plain = server.request("GET", "/a?b=c", &["X-Forwarded-Proto: http"]);
    assert_eq!((plain.status, plain.header("location")), (301, Some("https://site.test/a?b=c")));
    assert_eq!(server.request("GET", "/", &["X-Forwarded-Proto: https"]).status, 200);
    // The platform's health check comes without the router.
    assert_eq!(server.get("/").status, 200);
}

#[test]
fn both_address_families_are_served() {
    let root = plain_site();
    let server = Server::start(root.path(), &[]);
    for host in ["127.0.0.1", "[::1]"] {
        let answer =
            server.ask(TcpStream::connect(format!("{host}:{}", server.port)).unwrap(), "GET", "/", &[]);
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[test]
fn a_request_in_flight_is_finished_before_the_server_ends() {
    let root = plain_site();
    fs::write(root.path().join("large.bin"), vec![7; 64 << 20]).unwrap();
    let mut server = Server::start(root.path(), &[]);
    let mut connection = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    connection.write_all(b"GET /large.bin HTTP/1.0\r\nHost: site.test\r\n\r\n").unwrap();
    let mut begin = vec![0; 1000];
    connection.read_exact(&mut begin).unwrap();

    server.terminate();
    let mut rest = Vec::new();
    connection.read_to_end(&mut rest).unwrap();

    assert!(rest.len() > 63 << 20, "cut after {} bytes", rest.len());
    assert_eq!(server.wait().code(), Some(0));
}
