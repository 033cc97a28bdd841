//! The hook itself: runs inside `git receive-pack`, decides nothing, and prints what the server says.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

use super::frame::{self, Kind};
use super::{SESSION, SOCKET, request, socket};

/// Runs the hook: reads the references from standard input, prints what the server answers (git shows it to the one who
/// pushes) and returns the status that accepts (0) or refuses the push. Starts no runtime.
pub fn run_client() -> ExitCode {
    match converse() {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            let words = format!(
                "The push could not be handed to the server: {error}.\nNothing was moved; push again in a moment.\n"
            );
            let _ = io::stdout().write_all(words.as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn converse() -> io::Result<u8> {
    let path = variable(SOCKET)?;
    let session = variable(SESSION)?;
    let mut references = Vec::new();
    io::stdin().take(frame::LONGEST_REQUEST as u64).read_to_end(&mut references)?;
    let variables: Vec<_> =
        std::env::vars_os().filter(|(name, _)| request::is_passed_on(name.as_bytes())).collect();
    let payload = request::pack(session.as_bytes(), &variables, &references);
    if payload.len() > frame::LONGEST_REQUEST {
        return Err(io::Error::other("it changes too many references at once, push fewer"));
    }
    let reach = socket::reach(Path::new(&path))?;
    let mut server = UnixStream::connect(&reach.path)?;
    server.write_all(&frame::encode(Kind::Request, &payload))?;
    copy_answer(&mut server, &mut io::stdout().lock())
}

fn variable(name: &str) -> io::Result<OsString> {
    std::env::var_os(name)
        .ok_or_else(|| io::Error::other("this repository takes pushes only through its server"))
}

fn copy_answer(server: &mut impl Read, out: &mut impl Write) -> io::Result<u8> {
    loop {
        let mut header = [0; frame::HEADER];
        if let Err(error) = server.read_exact(&mut header) {
            return Err(if error.kind() == io::ErrorKind::UnexpectedEof { gone() } else { error });
        }
        let (kind, length) =
            frame::decode_header(header).ok_or_else(|| io::Error::other("the answer is garbled"))?;
        let mut payload = vec![0; length];
        server.read_exact(&mut payload)?;
        match (kind, &payload[..]) {
            (Kind::Exit, [status]) => return Ok(*status),
            (Kind::Say, words) => {
                out.write_all(words)?;
                out.flush()?;
            }
            _ => return Err(io::Error::other("the answer is garbled")),
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("it went away in the middle of the push; `paasctl builds` shows what became of it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_copied_until_the_exit_frame() {
        let wire = [
            frame::encode(Kind::Say, b"one\n"),
            frame::encode(Kind::Say, b"two\n"),
            frame::encode(Kind::Exit, &[3]),
        ];
        let mut out = Vec::new();
        assert_eq!(copy_answer(&mut &wire.concat()[..], &mut out).unwrap(), 3);
        assert_eq!(out, b"one\ntwo\n");
    }

    #[test]
    fn an_answer_that_breaks_off_refuses_the_push() {
        let half = frame::encode(Kind::Say, b"one\n");
        let error = copy_answer(&mut &half[..], &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("went away"), "{error}");
    }
}
