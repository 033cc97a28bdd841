//! HTTP/1.1 (RFC 9112) as strictly as it can be read, and the frames of HTTP/2.

/// What stands at the front of bytes that came to a replica.
pub(crate) enum Request {
    /// Not all of a request.
    Part,
    /// A request of so many bytes; whether it asks for a WebSocket, and whether it is a `HEAD`.
    Whole { length: usize, switches: bool, head: bool },
    /// No request, and why.
    Odd(String),
}

/// A head: its first line, and its fields with names in lower case.
type Head<'a> = (Vec<&'a str>, Vec<(String, &'a str)>);

/// How far something goes: `None` while it is not whole.
type Length = Result<Option<usize>, String>;

fn head(bytes: &[u8]) -> Result<Option<(Head<'_>, usize)>, String> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    // Values may be any bytes but control characters; only those above ASCII need not be UTF-8.
    let bytes = &bytes[..end];
    let plain = bytes.iter().filter(|byte| byte.is_ascii());
    if plain.into_iter().any(|byte| byte.is_ascii_control() && !b"\r\n\t".contains(byte)) {
        return Err("control characters".to_owned());
    }
    let mut lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = std::str::from_utf8(lines.next().unwrap_or_default()).map_err(|error| error.to_string())?;
    let mut fields = Vec::new();
    for line in lines {
        if line.contains(&b'\r') {
            return Err("a stray carriage return".to_owned());
        }
        let colon = line.iter().position(|byte| *byte == b':').ok_or("a line without a colon")?;
        let name = std::str::from_utf8(&line[..colon]).map_err(|error| error.to_string())?;
        if name.is_empty()
            || !name.bytes().all(|byte| byte.is_ascii_graphic() && !b"()<>@,;\\\"/[]?={}".contains(&byte))
        {
            return Err(format!("the odd name {name:?}"));
        }
        fields
            .push((name.to_ascii_lowercase(), std::str::from_utf8(&line[colon + 1..]).unwrap_or("?").trim()));
    }
    Ok(Some(((first.split(' ').collect(), fields), end + 4)))
}

/// Returns how long a body is, `None` while it is not whole.
fn body((_, fields): &Head<'_>, bytes: &[u8]) -> Length {
    let all = |name: &str| fields.iter().filter(|(n, _)| n == name).map(|(_, v)| *v).collect::<Vec<_>>();
    match (&all("content-length")[..], &all("transfer-encoding")[..]) {
        ([], []) => Ok(Some(0)),
        ([length], []) if !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()) => {
            let length = length.parse().map_err(|_| format!("the length {length}"))?;
            Ok((bytes.len() >= length).then_some(length))
        }
        ([], ["chunked"]) => chunks(bytes),
        (lengths, codings) => Err(format!("something framed by {lengths:?} and {codings:?}")),
    }
}

fn line(bytes: &[u8]) -> Option<usize> {
    bytes.windows(2).position(|two| two == b"\r\n")
}

fn chunks(bytes: &[u8]) -> Length {
    let mut at = 0;
    loop {
        let Some(end) = line(&bytes[at..]) else {
            return if bytes.len() - at > 100 { Err("an endless size".to_owned()) } else { Ok(None) };
        };
        let size = std::str::from_utf8(&bytes[at..at + end]).map_err(|error| error.to_string())?;
        if size.is_empty() || !size.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!("a chunk of the odd size {size:?}"));
        }
        let size = usize::from_str_radix(size, 16).map_err(|error| error.to_string())?;
        at += end + 2;
        if size == 0 {
            return trailers(bytes, at);
        }
        match bytes.get(at.saturating_add(size)..at.saturating_add(size).saturating_add(2)) {
            None => return Ok(None),
            Some(b"\r\n") => at += size + 2,
            Some(_) => return Err("a chunk that is longer than its size".to_owned()),
        }
    }
}

fn trailers(bytes: &[u8], mut at: usize) -> Length {
    loop {
        let Some(end) = line(&bytes[at..]) else { return Ok(None) };
        at += end + 2;
        if end == 0 {
            return Ok(Some(at));
        }
        if !bytes[at - end - 2..at].contains(&b':') {
            return Err("a trailer without a colon".to_owned());
        }
    }
}

/// Reads what stands at the front of what came to a replica.
pub(crate) fn request(bytes: &[u8]) -> Request {
    let read = head(bytes).and_then(|read| {
        let Some((head, length)) = read else { return Ok(None) };
        check_request(&head)?;
        let is =
            |name: &str, value: &str| head.1.iter().any(|(n, v)| n == name && v.eq_ignore_ascii_case(value));
        let switches = is("upgrade", "websocket") && is("connection", "upgrade");
        let body = body(&head, &bytes[length..])?;
        Ok(body.map(|body| Request::Whole { length: length + body, switches, head: head.0[0] == "HEAD" }))
    });
    match read {
        Ok(whole) => whole.unwrap_or(Request::Part),
        Err(why) => Request::Odd(why),
    }
}

fn check_request((first, fields): &Head<'_>) -> Result<(), String> {
    let target = first.get(1).copied().unwrap_or_default();
    let odd_target = !(target.starts_with('/') || target == "*") || target.contains('#');
    if first.len() != 3 || first[2] != "HTTP/1.1" || odd_target {
        return Err(format!("the odd first line {first:?}"));
    }
    let hosts: Vec<_> = fields.iter().filter(|(name, _)| name == "host").map(|(_, value)| *value).collect();
    let name = hosts.first().map(|host| host.split(':').next().unwrap_or_default().trim_end_matches('.'));
    if hosts.len() != 1 || !name.is_some_and(|name| name.eq_ignore_ascii_case("app")) {
        return Err(format!("the hosts {hosts:?}"));
    }
    let count = |wanted: &str| fields.iter().filter(|(name, _)| name == wanted).count();
    if count("x-request-id") != 1 || count("x-forwarded-for") != 1 || count("x-forwarded-proto") != 1 {
        return Err("no word of where it comes from".to_owned());
    }
    Ok(())
}

/// Panics unless what a visitor got is a row of answers, the last of which may have been cut by a reset.
pub(crate) fn check_answers(mut answered: &[u8], sent: &[u8]) {
    if sent.starts_with(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") {
        return check_frames(answered);
    }
    let whole = answered;
    let shown = || format!("{:?} to {:?}", String::from_utf8_lossy(whole), String::from_utf8_lossy(sent));
    let may_be_head = sent.windows(4).any(|four| four == b"HEAD");
    while !answered.is_empty() {
        let read = head(answered).unwrap_or_else(|why| panic!("the router answered {why}: {}", shown()));
        let Some((head, length)) = read else { return };
        let status: u16 = head.0.get(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        assert!(head.0[0].starts_with("HTTP/1.") && (100..600).contains(&status), "{}", shown());
        answered = &answered[length..];
        if status == 101 {
            return;
        }
        let bodyless = status < 200 || status == 204 || status == 304;
        if bodyless || (may_be_head && (answered.is_empty() || answered.starts_with(b"HTTP/1."))) {
            continue;
        }
        let framed = head.1.iter().any(|(name, _)| name == "content-length" || name == "transfer-encoding");
        assert!(framed, "an answer without an end: {}", shown());
        let body =
            body(&head, answered).unwrap_or_else(|why| panic!("the router answered {why}: {}", shown()));
        let Some(body) = body else { return };
        answered = &answered[body..];
    }
}

/// Frames have a length, a kind, flags and the number of a stream (RFC 9113 section 4.1).
fn check_frames(mut answered: &[u8]) {
    while let [a, b, c, kind, _, rest @ ..] = answered {
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        assert!(length <= 16_384 && *kind <= 9, "a frame of kind {kind} and {length} bytes");
        let Some(after) = rest.get(4 + length..) else { return };
        answered = after;
    }
}
