//! A real browser, driven over the WebDriver protocol.

use super::home::agent;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Key under which the protocol names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// Milliseconds that an element is waited for.
const WAIT_MS: u64 = 60_000;

/// A window of Chromium.
pub struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.agent.delete(self.session.as_str()).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

impl Browser {
    /// Opens a window of a phone's size.
    pub fn open() -> Browser {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver runs: install the packages chromium and chromium-driver");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map(Result::unwrap);
        let started = lines.find(|line| line.contains("started successfully")).unwrap();
        let port: u16 = started.trim_end_matches('.').rsplit(' ').next().unwrap().parse().unwrap();
        // What it says later goes nowhere, but is taken, or it would wait.
        std::thread::spawn(move || lines.for_each(drop));
        let agent = agent();
        let arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"];
        let asked = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "args": arguments },
        } } });
        let mut browser = Browser { driver, session: format!("http://127.0.0.1:{port}/session"), agent };
        let made = browser.post("", &asked);
        browser.session += &format!("/{}", made["sessionId"].as_str().unwrap());
        browser.post("/timeouts", &json!({ "implicit": WAIT_MS, "script": WAIT_MS }));
        browser.size(390, 844);
        browser
    }

    #[track_caller]
    fn answer(&self, path: &str, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Value {
        let text = answer.unwrap().body_mut().read_to_string().unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert!(value["value"]["error"].is_null(), "{path}: {}", value["value"]["message"]);
        value["value"].clone()
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.agent.post(format!("{}{path}", self.session));
        self.answer(path, request.header("Content-Type", "application/json").send(body.to_string()))
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        self.answer(path, self.agent.get(format!("{}{path}", self.session)).call())
    }

    /// Makes the window as large as a screen.
    pub fn size(&self, width: u32, height: u32) {
        let is_phone = width < 600;
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 2, "mobile": is_phone });
        let asked = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": metrics });
        self.post("/goog/cdp/execute", &asked);
    }

    /// Opens an address.
    #[track_caller]
    pub fn go(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// The element of an XPath, once it is there.
    #[track_caller]
    pub fn find(&self, xpath: &str) -> String {
        let found = self.post("/element", &json!({ "using": "xpath", "value": xpath }));
        found[ELEMENT].as_str().unwrap().to_string()
    }

    /// All elements of a CSS selector that are there now.
    #[track_caller]
    pub fn all(&self, selector: &str) -> Vec<String> {
        let found = self.post("/elements", &json!({ "using": "css selector", "value": selector }));
        found.as_array().unwrap().iter().map(|one| one[ELEMENT].as_str().unwrap().to_string()).collect()
    }

    #[track_caller]
    pub fn click(&self, xpath: &str) {
        self.post(&format!("/element/{}/click", self.find(xpath)), &json!({}));
    }

    #[track_caller]
    pub fn text(&self, xpath: &str) -> String {
        self.get(&format!("/element/{}/text", self.find(xpath))).as_str().unwrap().to_string()
    }

    /// What a screen reader calls an element.
    #[track_caller]
    pub fn label(&self, element: &str) -> String {
        self.get(&format!("/element/{element}/computedlabel")).as_str().unwrap().to_string()
    }

    /// Types into a field instead of what is in it.
    #[track_caller]
    pub fn fill(&self, xpath: &str, text: &str) {
        let field = self.find(xpath);
        self.post(&format!("/element/{field}/clear"), &json!({}));
        self.post(&format!("/element/{field}/value"), &json!({ "text": text }));
    }

    /// Presses keys where the focus is.
    #[track_caller]
    pub fn press(&self, keys: &str) {
        let active = self.get("/element/active")[ELEMENT].as_str().unwrap().to_string();
        self.post(&format!("/element/{active}/value"), &json!({ "text": keys }));
    }

    /// What an async function body gives in the page.
    #[track_caller]
    pub fn run(&self, body: &str) -> Value {
        let script = format!(
            "const done = arguments[0]; (async () => {{ {body} }})().then(done, (error) => done('error: ' + error))"
        );
        self.post("/execute/async", &json!({ "script": script, "args": [] }))
    }

    /// Errors on the console since the last time.
    #[track_caller]
    pub fn errors(&self) -> Vec<Value> {
        let log = self.post("/se/log", &json!({ "type": "browser" }));
        let is_error = |entry: &&Value| entry["level"] == "SEVERE" || entry["level"] == "WARNING";
        log.as_array().unwrap().iter().filter(is_error).cloned().collect()
    }

    /// Writes what the window shows to the target folder.
    #[track_caller]
    pub fn picture(&self, name: &str) {
        let folder: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../demo-page");
        std::fs::create_dir_all(&folder).unwrap();
        let picture = self.get("/screenshot");
        std::fs::write(folder.join(format!("{name}.png")), base64(picture.as_str().unwrap())).unwrap();
    }
}

/// Bytes of base64, as the protocol sends pictures.
fn base64(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|c| *c != b'=').map(value).collect();
    let mut bytes = vec![];
    for four in digits.chunks(4) {
        let bits =
            four.iter().fold(0u32, |bits, digit| (bits << 6) | u32::from(*digit)) << (6 * (4 - four.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..four.len()]);
    }
    bytes
}
