//! The log of an app in the dashboard, without scripts: what is shown of which lines, lines that want to be more than text,
//! who may see them, and the events that pages follow.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use ::logs::{Origin, Source, Writer};
use model::access::Scope;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::server::{Reply, Server};

const LOGS: &str = "/dashboard/apps/shop/logs";

fn shop() -> Server {
    let server = Server::start();
    server.ask("POST", "/apps").body(json!({ "name": "shop" })).expect(201);
    server.platform.logs.flush();
    server
}

fn writer(server: &Server) -> Writer {
    server.platform.logs.open(server.app("shop").id).unwrap().writer()
}

fn write(server: &Server, source: Source, process: &str, text: &str) {
    writer(server).append(&Origin::new(source, process, Some(7)), text);
}

/// Returns the texts of the lines of a page, with the tags in them.
fn lines(page: &Reply) -> Vec<&str> {
    assert_eq!(page.status, 200, "{}", page.text);
    let rows = page.text.split("<div class=\"line ").skip(1);
    rows.map(|row| row.split_once("</b> <span>").unwrap().1.split_once("</span></div>").unwrap().0).collect()
}

/// Returns the address that the time of a line leads to.
fn address(page: &Reply, text: &str) -> String {
    let row = page.text.split("<div class=\"line ").find(|row| row.contains(text)).unwrap();
    let query = row.split("href=\"").nth(1).unwrap().split("#at").next().unwrap();
    format!("{LOGS}{query}")
}

#[test]
fn the_form_chooses_which_lines_are_shown() {
    let server = shop();
    for number in 1..=30 {
        write(&server, Source::App, ["web.1", "worker.1"][number % 2], &format!("Order {number}."));
    }
    write(&server, Source::Router, "router", "at=info path=/cart");
    let mut browser = Browser::of_admin(&server);
    let page = browser.get(LOGS);
    let shown = lines(&page);
    assert_eq!((shown.len(), shown[1], shown[31]), (32, "Order 1.", "at=info path=/cart"));
    assert!(page.text.contains("paasctl logs -a shop --tail"), "{}", page.text);
    assert!(page.text.contains("title=\"app[worker.1] v7\""), "{}", page.text);
    let mut of = |query: &str| {
        let page = browser.get(&format!("{LOGS}?{query}"));
        lines(&page).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(of("source=router"), ["at=info path=/cart"]);
    assert_eq!(of("process=web&lines=2"), ["Order 28.", "Order 30."]);
    assert_eq!(
        of("process=worker.1&q=order+1"),
        ["1", "11", "13", "15", "17", "19"].map(|n| format!("Order {n}."))
    );
    assert_eq!(of("since=10m").len(), 32);
    assert_eq!(of("until=10m").len(), 0);
    assert_eq!(of("since=2999-01-01+00:00").len(), 0);
    let page = browser.get(&format!("{LOGS}?q=ORDER+30&source=app"));
    assert!(page.text.contains("Found in 1 of all 30 lines."), "{}", page.text);
    assert!(
        page.text.contains("paasctl logs -a shop --tail --source app | grep -iF -- &#39;ORDER 30&#39;"),
        "{}",
        page.text
    );
    let none = browser.get(&format!("{LOGS}?q=nowhere"));
    assert!(none.text.contains("No line is like that"), "{}", none.text);
    for wrong in ["source=moon", "lines=many", "since=yesterday", "at=nowhere", "at=moon:1:2"] {
        let reply = browser.get(&format!("{LOGS}?{wrong}"));
        assert_eq!(reply.status, 422, "{wrong}: {}", reply.text);
    }
}

#[test]
fn an_app_that_wrote_nothing_is_told_what_writes_logs() {
    let server = shop();
    let mut browser = Browser::of_admin(&server);
    assert!(browser.get(LOGS).text.contains("standard output"));
    write(&server, Source::App, "web.1", "hello");
    assert!(!browser.get(LOGS).text.contains("standard output"));
}

#[test]
fn a_line_is_text_whatever_it_wants_to_be() {
    let server = shop();
    for line in [
        "<script>alert(1)</script>",
        "</span></div><img src=x onerror=alert(1)>",
        "\u{1b}[1;31mred\u{1b}[0m \u{1b}[38;5;\"><b>x",
        "\u{1b}]8;;javascript:alert(1)\u{1b}\\link\u{1b}]8;;\u{1b}\\",
        "\u{1b}]0;no end",
        "a\u{0}b\u{7}c\u{8}\u{1b}[2Jd",
        "\u{1b}[999999999999999999999mx\u{1b}[;;;;:::m",
    ] {
        write(&server, Source::App, "web.1", line);
    }
    writer(&server)
        .append(&Origin::new(Source::App, "web.1", None), [b"\xff\xfe".as_slice(), &[b'y'; 30_000]].concat());
    let mut browser = Browser::of_admin(&server);
    let page = browser.get(&format!("{LOGS}?source=app"));
    let shown = lines(&page);
    assert_eq!(
        shown[..7],
        [
            "&#60;script&#62;alert(1)&#60;/script&#62;",
            "&#60;/span&#62;&#60;/div&#62;&#60;img src=x onerror=alert(1)&#62;",
            "<i class=\"b f1\">red</i> &#62;&#60;b&#62;x",
            "link",
            "0;no end",
            "abcd",
            "x",
        ]
    );
    assert_eq!(shown.len(), 10, "a huge line is cut into pieces");
    assert!(shown[7].starts_with("\u{fffd}\u{fffd}yyy"));
    for nothing in ["\u{1b}", "\u{0}", "<script>alert", "<img src=x", " style=", "onerror=alert(1)>"] {
        assert!(!page.text.contains(nothing), "{nothing:?}");
    }
    let page = browser.get(&format!("{LOGS}?q=%22%3E%3Cscript%3E&process=%22onfocus=%22x&since=%3Cb%3E"));
    assert!(
        page.status == 422 && !page.text.contains("<b>") && !page.text.contains("\"><script>"),
        "{}",
        page.text
    );
    let page = browser.get(&format!("{LOGS}?q=%22%3E%3Cscript%3E&process=%22onfocus=%22x"));
    assert!(
        page.status == 200 && !page.text.contains("\"><script>") && !page.text.contains("\"onfocus"),
        "{}",
        page.text
    );
}

#[test]
fn a_line_has_an_address_that_shows_it_among_its_neighbours() {
    let server = shop();
    let burst: Vec<_> = (0..500).map(|number| format!("line {number}.")).collect();
    write(&server, Source::App, "web.1", &burst.join("\n"));
    let mut browser = Browser::of_admin(&server);
    let page = browser.get(&format!("{LOGS}?lines=1000"));
    let page = browser.get(&address(&page, "line 250."));
    let shown = lines(&page);
    assert_eq!((shown.len(), shown[0], shown[100], shown[200]), (201, "line 150.", "line 250.", "line 350."));
    let marked = page.text.split(" id=\"at\"").nth(1).unwrap();
    assert!(marked.split("</div>").next().unwrap().contains("line 250."), "{marked}");
    assert!(!page.text.contains("data-tail"), "it stays where it is");
    let page = browser.get(&address(&page, "line 150."));
    assert_eq!(lines(&page)[0], "line 50.", "the way back has no end before the first line");
    let reply = browser.get(&format!("{LOGS}?at=process-1:99:5"));
    assert!(reply.status == 404 && reply.text.contains("not kept any more"), "{}", reply.text);
}

#[test]
fn a_download_is_every_line_of_the_range_as_text() {
    let server = shop();
    let burst: Vec<_> = (0..3_000).map(|number| format!("\u{1b}[32mline\u{1b}[0m {number}")).collect();
    write(&server, Source::App, "web.1", &burst.join("\n"));
    let mut browser = Browser::of_admin(&server);
    let reply = browser.get(&format!("{LOGS}/download?source=app&lines=200"));
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(reply.header("content-disposition"), Some("attachment; filename=\"shop.log\""));
    let texts: Vec<_> = reply.text.lines().map(|line| line.split_once(" app[web.1]: ").unwrap().1).collect();
    assert_eq!(texts, (0..3_000).map(|number| format!("line {number}")).collect::<Vec<_>>());
    let reply = browser.get(&format!("{LOGS}/download?q=LINE+299"));
    assert_eq!(reply.text.lines().count(), 11);
    assert_eq!(browser.get(&format!("{LOGS}/download?until=1h")).text, "");
}

#[test]
fn who_may_not_see_the_app_sees_nothing_of_its_log() {
    let server = shop();
    write(&server, Source::App, "web.1", "a secret");
    let app = server.app("shop");
    let (reader, token) = server.user("reader@example.org", Scope::Read);
    let (_, stranger) = server.user("stranger@example.org", Scope::Write);
    server.run(async {
        let mut tx = server.platform.store.write().await.unwrap();
        store::set_collaborator(&mut tx, app.id, reader.id, Scope::Read).await.unwrap();
        tx.commit().await.unwrap();
    });
    drop(Browser::of_admin(&server));
    let paths = [LOGS.to_owned(), format!("{LOGS}/download"), format!("{LOGS}/tail?after=0")];
    let mut browser = Browser::with_token(&server, &stranger);
    let mut nobody = Browser::new(&server);
    for path in &paths {
        let reply = browser.get(path);
        assert!(reply.status == 404 && !reply.text.contains("a secret"), "{path}: {}", reply.text);
        assert_eq!(nobody.get(path).status, 303, "{path}");
    }
    let mut browser = Browser::with_token(&server, &token);
    for path in &paths[..2] {
        assert!(browser.get(path).text.contains("a secret"), "{path}");
    }
}

/// Opens a page's tail.
fn tail(browser: &Browser<'_>, server: &Server, path: &str, last: Option<&str>) -> BufReader<TcpStream> {
    let mut socket = TcpStream::connect(server.address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
    let (host, cookie) = (server.address, browser.cookie());
    write!(socket, "GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n{last}\r\n").unwrap();
    BufReader::new(socket)
}

/// Reads events until a line holds the text; returns the id of that event and all lines.
fn until(reader: &mut BufReader<TcpStream>, text: &str) -> (String, Vec<String>) {
    let (mut id, mut seen) = (String::new(), Vec::new());
    loop {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "the tail ended after {seen:?}");
        if let Some(next) = line.trim_end().strip_prefix("id: ") {
            id = next.to_owned();
        }
        if let Some(data) = line.trim_end().strip_prefix("data: ") {
            let rows: Vec<Value> = serde_json::from_str(data).unwrap();
            let text = |row: &Value| {
                row["pieces"].as_array().unwrap().iter().map(|piece| piece[1].as_str().unwrap()).collect()
            };
            seen.extend(rows.iter().map(text));
        }
        // The id may stand before or after the data.
        if line.trim().is_empty() && seen.iter().any(|line: &String| line.contains(text)) {
            return (id, seen);
        }
    }
}

#[test]
fn a_page_follows_the_log_from_where_it_was_rendered_and_after_a_break() {
    let server = shop();
    write(&server, Source::App, "web.1", "before");
    let mut browser = Browser::of_admin(&server);
    let page = browser.get(&format!("{LOGS}?source=app"));
    let address =
        page.text.split("data-tail=\"").nth(1).unwrap().split('"').next().unwrap().replace("&#38;", "&");
    let mut first = tail(&browser, &server, &address, None);
    write(&server, Source::Router, "router", "at=info");
    write(&server, Source::App, "web.1", "while it is \u{1b}[31mopen\u{1b}[0m");
    let (id, seen) = until(&mut first, "open");
    assert_eq!(seen, ["while it is open"], "what was rendered and what is not wanted does not come");
    drop(first);
    write(&server, Source::App, "web.1", "while nobody looks");
    write(&server, Source::App, "web.1", "the last one");
    let mut second = tail(&browser, &server, &address, Some(&id));
    let (_, seen) = until(&mut second, "the last one");
    assert_eq!(seen, ["while nobody looks", "the last one"]);
    assert_eq!(browser.get(&format!("{LOGS}/tail?after=moon")).status, 422);
}
