//! As much of a browser as pages without scripts need: it keeps cookies and sends forms.

use std::collections::BTreeMap;

use crate::server::{Reply, Server};

pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) struct Browser<'a> {
    server: &'a Server,
    cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(server: &'a Server) -> Self {
        Self { server, cookies: BTreeMap::new() }
    }

    /// A browser in which the administrator has set the platform up.
    pub(crate) fn of_admin(server: &'a Server) -> Self {
        let mut browser = Self::new(server);
        let form = [("token", server.admin.as_str()), ("password", PASSWORD), ("again", PASSWORD)];
        let reply = browser.post("/dashboard/set-up", &form);
        assert_eq!((reply.status, reply.header("location")), (303, Some("/dashboard")), "{}", reply.text);
        browser
    }

    /// A browser in which somebody signed in with a token.
    pub(crate) fn with_token(server: &'a Server, token: &str) -> Self {
        let mut browser = Self::new(server);
        let reply = browser.post("/dashboard/sign-in", &[("password", token)]);
        assert_eq!(reply.status, 303, "{}", reply.text);
        browser
    }

    pub(crate) fn get(&mut self, path: &str) -> Reply {
        self.send("GET", path, None, &[])
    }

    /// Sends a form as it is.
    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        self.send("POST", path, Some(&encoded(fields)), &[])
    }

    /// Sends a form of a page, with the mark of this session, and returns the page it leads to.
    pub(crate) fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let mark = self.mark();
        let fields: Vec<_> = fields.iter().copied().chain([("mark", mark.as_str())]).collect();
        let reply = self.post(path, &fields);
        match reply.header("location") {
            Some(location) => {
                let location = location.to_owned();
                self.get(&location)
            }
            None => reply,
        }
    }

    /// Returns the mark that the forms of this session carry.
    pub(crate) fn mark(&mut self) -> String {
        let page = self.get("/dashboard/account");
        let (_, rest) =
            page.text.split_once("name=\"mark\" value=\"").unwrap_or_else(|| panic!("{}", page.text));
        rest.split('"').next().unwrap().to_owned()
    }

    /// Returns what it sends of the cookies that it keeps.
    pub(crate) fn cookie(&self) -> String {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        form: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let mut ask = self.server.bare(method, path).header("cookie", &self.cookie());
        for (name, value) in headers {
            ask = ask.header(name, value);
        }
        if let Some(form) = form {
            ask = ask.header("content-type", "application/x-www-form-urlencoded").body(form);
        }
        let reply = ask.send();
        for cookie in reply.headers.get_all("set-cookie") {
            let (pair, rest) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if rest.contains("Max-Age=0;") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        reply
    }
}

/// Writes fields as a form is sent.
pub(crate) fn encoded(fields: &[(&str, &str)]) -> String {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"-._~".contains(&c);
    let escape = |text: &str| {
        text.bytes()
            .map(|c| if plain(c) { char::from(c).to_string() } else { format!("%{c:02X}") })
            .collect::<String>()
    };
    fields
        .iter()
        .map(|(name, value)| format!("{}={}", escape(name), escape(value)))
        .collect::<Vec<_>>()
        .join("&")
}
