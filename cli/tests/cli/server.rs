//! A server on a real socket that plays recorded answers and keeps what it was asked.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// One request as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
}

#[derive(Clone)]
struct Recorded {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

type Answers = BTreeMap<String, VecDeque<Recorded>>;

/// Answers are per `METHOD /path`; the last one of a path is played again and again.
pub(crate) struct TestServer {
    address: SocketAddr,
    answers: Arc<Mutex<Answers>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl TestServer {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (answers, asked) = (Arc::<Mutex<Answers>>::default(), Arc::<Mutex<Vec<Asked>>>::default());
        let shared = (answers.clone(), asked.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answers, asked) = shared.clone();
                thread::spawn(move || serve(stream, &answers, &asked));
            }
        });
        Self { address, answers, asked }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn on(&self, request: &str, body: Value) -> &Self {
        self.answer(request, 200, &[], &body.to_string())
    }

    pub(crate) fn refuse(&self, request: &str, status: u16, body: Value) -> &Self {
        self.answer(request, status, &[], &body.to_string())
    }

    pub(crate) fn answer(&self, request: &str, status: u16, headers: &[(&str, &str)], body: &str) -> &Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let recorded = Recorded { status, headers, body: body.to_owned() };
        self.answers.lock().unwrap().entry(request.to_owned()).or_default().push_back(recorded);
        self
    }

    /// Returns the requests in order, as `METHOD /path body`.
    pub(crate) fn asked(&self) -> Vec<String> {
        let shown = |asked: &Asked| match &asked.body {
            Value::Null => asked.line.clone(),
            body => format!("{} {body}", asked.line),
        };
        self.requests().iter().map(shown).collect()
    }

    pub(crate) fn requests(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, answers: &Mutex<Answers>, asked: &Mutex<Vec<Asked>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut parts = line.split_whitespace();
    let line = format!("{} {}", parts.next()?, parts.next()?);
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    asked.lock().unwrap().push(Asked { line: line.clone(), headers, body });
    write(stream, &next(&mut answers.lock().unwrap(), &line)).ok()
}

fn next(answers: &mut Answers, line: &str) -> Recorded {
    match answers.get_mut(line) {
        Some(queue) if queue.len() > 1 => queue.pop_front().unwrap(),
        Some(queue) => queue[0].clone(),
        None => {
            let body = json!({"id": "not_found", "message": format!("nothing is recorded for {line}")});
            Recorded { status: 404, headers: Vec::new(), body: body.to_string() }
        }
    }
}

fn write(mut stream: TcpStream, answer: &Recorded) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {} Recorded\r\n", answer.status)?;
    write!(stream, "Content-Length: {}\r\nConnection: close\r\n", answer.body.len())?;
    for (name, value) in &answer.headers {
        write!(stream, "{name}: {value}\r\n")?;
    }
    write!(stream, "\r\n{}", answer.body)
}
