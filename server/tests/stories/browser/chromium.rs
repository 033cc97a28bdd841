//! A real Chromium without a window, driven over `WebDriver`; its driver ends with it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::platform::TestPlatform;
use crate::{address, wait};

pub(super) const PASSWORD: &str = "correct horse battery";

/// How a page is looked at.
#[derive(Clone, Copy)]
pub(super) struct Look {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) dark: bool,
    pub(super) scripts: bool,
}

impl Look {
    pub(super) const USUAL: Self = Self { width: 1_200, height: 900, dark: false, scripts: true };
    pub(super) const DARK: Self = Self { dark: true, ..Self::USUAL };
    pub(super) const NARROW: Self = Self { width: 360, height: 740, ..Self::USUAL };
    pub(super) const NARROW_AND_DARK: Self = Self { dark: true, ..Self::NARROW };
    pub(super) const WITHOUT_SCRIPTS: Self = Self { scripts: false, ..Self::USUAL };
}

pub(super) struct Chromium {
    client: Client,
    base: String,
    runtime: Runtime,
    driver: Child,
    _profile: tempfile::TempDir,
}

impl Chromium {
    pub(super) fn start(platform: &TestPlatform, look: Look) -> Self {
        let port = address::reserve().port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is needed; `make test` installs it");
        let profile = tempfile::tempdir().unwrap();
        let capabilities = capabilities(profile.path(), look);
        let runtime = Runtime::new().unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        builder.capabilities(capabilities.as_object().unwrap().clone());
        let client = wait::until("Chromium", || runtime.block_on(builder.connect(&url)).ok());
        let base = format!("http://{}", platform.api);
        Self { client, base, runtime, driver, _profile: profile }
    }

    /// A browser in which the administrator has set the platform up, or signs in.
    pub(super) fn of_admin(platform: &TestPlatform, look: Look) -> Self {
        let browser = Self::start(platform, look);
        browser.open("/dashboard");
        if browser.path().ends_with("/set-up") {
            browser.fill("token", &platform.token).fill("password", PASSWORD).fill("again", PASSWORD);
        } else {
            browser.fill("email", "admin@localhost").fill("password", PASSWORD);
        }
        browser.click("main button.primary");
        browser.wait_for("the list of apps", "nav [aria-current]");
        browser
    }

    /// A browser in which somebody signs in with a token, once the administrator has set the platform up.
    pub(super) fn with_token(platform: &TestPlatform, token: &str, look: Look) -> Self {
        drop(Self::of_admin(platform, look));
        let browser = Self::start(platform, look);
        browser.open("/dashboard").fill("password", token).click("main button.primary");
        browser.wait_for("the list of apps", "nav [aria-current]");
        browser
    }

    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    #[track_caller]
    pub(super) fn open(&self, path: &str) -> &Self {
        self.run(self.client.goto(&format!("{}{path}", self.base))).unwrap();
        assert_ne!(self.text("h1"), "That did not work", "{path}: {}", self.text("main"));
        self
    }

    /// Opens another tab and looks at that.
    pub(super) fn new_tab(&self) {
        self.run(async {
            let tab = self.client.new_window(true).await.unwrap();
            self.client.switch_to_window(tab.handle).await.unwrap();
        });
    }

    /// Looks at the first tab again.
    pub(super) fn first_tab(&self) {
        self.run(async {
            let tabs = self.client.windows().await.unwrap();
            self.client.switch_to_window(tabs[0].clone()).await.unwrap();
        });
    }

    /// Returns the path of the page.
    pub(super) fn path(&self) -> String {
        self.run(self.client.current_url()).unwrap().path().to_owned()
    }

    /// Returns what a page shows, or of it what the selector finds first.
    pub(super) fn text(&self, selector: &str) -> String {
        // A live page may replace what was found before it is read.
        let text = (0..3).find_map(|_| self.try_text(selector));
        text.unwrap_or_else(|| panic!("no {selector} in {}", self.source()))
    }

    pub(super) fn try_text(&self, selector: &str) -> Option<String> {
        self.run(async { self.client.find(Locator::Css(selector)).await.ok()?.text().await.ok() })
    }

    pub(super) fn source(&self) -> String {
        self.run(self.client.source()).unwrap()
    }

    pub(super) fn count(&self, selector: &str) -> usize {
        self.run(self.client.find_all(Locator::Css(selector))).unwrap().len()
    }

    pub(super) fn fill(&self, name: &str, text: &str) -> &Self {
        self.type_into(&format!("main [name='{name}']"), text)
    }

    /// Puts a text where the selector finds a field.
    pub(super) fn type_into(&self, selector: &str, text: &str) -> &Self {
        self.run(async {
            let field = self.client.find(Locator::Css(selector)).await.unwrap();
            field.clear().await.unwrap();
            field.send_keys(text).await.unwrap();
        });
        self
    }

    pub(super) fn click(&self, selector: &str) -> &Self {
        self.run(async { self.client.find(Locator::Css(selector)).await.unwrap().click().await.unwrap() });
        self
    }

    /// Waits until the selector finds something.
    pub(super) fn wait_for(&self, what: &str, selector: &str) -> &Self {
        wait::until(what, || self.try_text(selector));
        self
    }

    /// Waits until what the selector finds first contains the text.
    pub(super) fn wait_for_text(&self, selector: &str, text: &str) -> &Self {
        wait::until(&format!("{selector} to say {text}"), || {
            self.try_text(selector).filter(|found| found.contains(text))
        });
        self
    }

    /// Waits until what the selector finds first contains a text, wherever the page is scrolled to.
    pub(super) fn wait_for_content(&self, selector: &str, text: &str) -> &Self {
        wait::until(&format!("{selector} to have {text}"), || {
            self.content(selector).contains(text).then_some(())
        });
        self
    }

    /// Returns the text of all that the selector finds, seen or not.
    pub(super) fn content(&self, selector: &str) -> String {
        let script = format!(
            "return [...document.querySelectorAll({selector:?})].map(found => found.textContent).join('\\n')"
        );
        self.evaluate(&script).as_str().unwrap().to_owned()
    }

    /// Marks the page, so that one that was loaded anew is known by `is_the_same_page`.
    pub(super) fn mark_page(&self) -> &Self {
        self.evaluate("window.isTheSamePage = true");
        self
    }

    pub(super) fn is_the_same_page(&self) -> bool {
        self.evaluate("return window.isTheSamePage === true") == true
    }

    /// Runs a function of the page and returns what it gives.
    pub(super) fn evaluate(&self, script: &str) -> Value {
        self.run(self.client.execute(script, Vec::new())).unwrap()
    }

    /// Runs a function of the page that calls its last argument with what it found.
    pub(super) fn evaluate_async(&self, script: &str) -> Value {
        self.run(self.client.execute_async(script, Vec::new())).unwrap()
    }

    pub(super) fn screenshot(&self, path: &Path) {
        std::fs::write(path, self.run(self.client.screenshot()).unwrap()).unwrap();
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let client = self.client.clone();
        // It may be gone already; the driver takes it along otherwise.
        let _ = self.runtime.block_on(client.close());
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn capabilities(profile: &Path, look: Look) -> Value {
    let mut arguments = [
        "--headless=new",
        // Tests run as root, and what is looked at is our own.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
    ]
    .map(str::to_owned)
    .to_vec();
    arguments.push(format!("--user-data-dir={}", profile.display()));
    // Chromium makes no window narrower than 500 pixels; one that it emulates may be.
    arguments.push(format!("--window-size={},{}", look.width.max(500), look.height));
    if look.dark {
        arguments.push("--blink-settings=preferredColorScheme=0".to_owned());
    }
    let mut options = json!({ "args": arguments });
    if look.width < 500 {
        let metrics =
            json!({ "width": look.width, "height": look.height, "pixelRatio": 1.0, "touch": false });
        options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
    }
    if !look.scripts {
        options["prefs"] = json!({ "profile.managed_default_content_settings.javascript": 2 });
    }
    json!({ "browserName": "chrome", "goog:chromeOptions": options })
}

/// Returns axe-core, which `make test` puts among the tools.
pub(super) fn axe() -> String {
    let tools = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools"));
    let file = tools.join("axe/axe_playwright_python/axe.min.js");
    std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; `make test` installs it", file.display()))
}
