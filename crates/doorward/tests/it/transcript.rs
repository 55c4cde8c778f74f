//! Transcripts: requests and the answers expected, side by side, run against the real binary.
//!
//! A file `transcripts/NAME.http` runs on a server of its own, from top to bottom. Its lines:
//!
//! ```text
//! # a comment
//! @setting hide_accounts true          a setting of the server, before the first step
//! @serve --contract users@/            arguments of `doorward serve`, before the first step
//!
//! ## a title, for messages
//! > POST /users/users/login            a request: its first line, its headers,
//! > Accept: */*
//! >                                    an empty line,
//! > {"email": "ann@example.com", …}    its body
//! < 200 ok                             the answer: status and outcome,
//! < Vary: Origin                       headers that it has to have,
//! < !Set-Cookie                        headers that it may not have,
//! <                                    an empty line,
//! < {"token": "{{t=<jwt>}}", …}        its body
//! ? claims {{t}} {"_id": "<hex24>"}    a check, see `check.rs`
//! $ user disable ann@example.com       a command of the binary, which has to succeed; of what it prints, a line of
//!                                      two words is captured: a name and its value
//! ! DELETE FROM accounts               damage to the database
//! ```
//!
//! What is sent: a body brings its `Content-Length`, and `Content-Type: application/json` unless the request has a
//! `Content-Type` (`-` for none). `Transfer-Encoding: chunked` sends it in chunks. Placeholders are filled in:
//! `{{name}}` (captured before), `{{bytes FF FE}}`, `{{repeat x 1000}}`, `{{forged name}}` (a token with another
//! signature).
//!
//! What is expected: a body that begins like JSON is compared as JSON, members in any order, types exactly; it has to
//! come as `application/json; charset=utf-8` unless the transcript names another `Content-Type`. Other bodies are
//! compared as they are, and JSON after `<=` in place of `<` is too: the order of its members, no spaces. No body means that there is none. Texts can
//! be matchers: `<any>` `<text>` `<int>` `<uuid>` `<hex24>` `<jwt>` `<date>`, and `{{name=<matcher>}}` captures. The
//! member `"...": "<any>"` lets an object have more members. The word after the status names the outcome, which the log
//! has to confirm; `tidy.rs` counts which are covered.
//!
//! The surprise: three things are checked without being asked for. No answer contains a password that was sent, and no
//! refusal any text that was sent; every answer names its request; and the server's log contains no password and no
//! token that went over the wire.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::server::{Server, Setup};

mod answer;
mod check;
mod fill;
mod matching;
pub(crate) mod parse;
mod secrets;

pub(crate) use check::part;
use parse::{Step, What};

/// What was captured so far.
pub(crate) type Captured = BTreeMap<String, Value>;

/// Where the project is; `{{root}}` in the arguments of a transcript.
pub(crate) const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Where the transcripts are.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/transcripts"))
}

/// Does to the database what no part of the server does.
type Damage = Box<dyn Fn(&str) -> Result<(), String>>;

/// Runs one file on an engine and tells everything that is not as it should be.
pub(crate) fn run(name: &str, setup: Setup, damage: Damage) {
    let text = fs::read_to_string(folder().join(format!("{name}.http")));
    let text = text.unwrap_or_else(|error| panic!("{name}.http: {error}"));
    let transcript = parse::parse(&text).unwrap_or_else(|fault| panic!("{name}.http:{fault}"));
    let arguments: Vec<String> = transcript
        .arguments
        .iter()
        .map(|text| text.replace("{{root}}", ROOT))
        .collect();
    let mut setup = setup
        .setting("log_format", "json")
        .arguments(arguments.iter().map(String::as_str));
    for (setting, value) in &transcript.settings {
        setup = setup.setting(setting, value);
    }
    let mut run = Run {
        server: setup.start(),
        damage,
        captured: Captured::new(),
        secrets: Vec::new(),
        outcomes: BTreeMap::new(),
    };
    let mut faults = Vec::new();
    for step in &transcript.steps {
        for fault in run.step(step) {
            faults.push(format!("{name}.http:{}: {}: {fault}", step.line, step.title));
        }
    }
    faults.extend(
        run.faults_of_log()
            .into_iter()
            .map(|fault| format!("{name}.http: {fault}")),
    );
    let count = faults.len();
    assert!(faults.is_empty(), "{count} faults:\n{}", faults.join("\n"));
}

/// A transcript while it runs.
struct Run {
    server: Server,
    damage: Damage,
    captured: Captured,
    /// Passwords and tokens that went over the wire.
    secrets: Vec<String>,
    /// Each request and the outcome expected of it, by the id in its answer.
    outcomes: BTreeMap<String, (String, String)>,
}

impl Run {
    fn step(&mut self, step: &Step) -> Vec<String> {
        match &step.what {
            What::Exchange(exchange) => answer::exchange(self, exchange),
            What::Check(text) => check::check(text, &self.captured).err().into_iter().collect(),
            What::Command(text) => self.command(text).err().into_iter().collect(),
            What::Damage(statement) => (self.damage)(statement).err().into_iter().collect(),
        }
    }

    fn command(&mut self, text: &str) -> Result<(), String> {
        let filled = fill::text(text, &self.captured)?;
        let arguments: Vec<&str> = filled.split_whitespace().collect();
        let output = self.server.setup().run(&arguments);
        if output.status.success() {
            let printed = String::from_utf8_lossy(&output.stdout).into_owned();
            for line in printed.lines() {
                let words: Vec<&str> = line.split_whitespace().collect();
                if let [name, value] = words[..] {
                    self.captured.insert(name.to_owned(), value.into());
                    self.secrets.extend(name.ends_with("secret").then(|| value.to_owned()));
                }
            }
            return Ok(());
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(format!("`doorward {filled}` fails: {errors}"))
    }

    /// What is wrong with the log: secrets in it, requests that are missing or ended in another way.
    fn faults_of_log(&self) -> Vec<String> {
        let log = self.server.log();
        let leaked = self.secrets.iter().filter(|secret| log.contains(secret.as_str()));
        let mut faults: Vec<String> = leaked
            .map(|secret| format!("the log contains the secret {secret:?}"))
            .collect();
        let mut logged = BTreeMap::new();
        for line in log.lines() {
            match serde_json::from_str::<Value>(line) {
                Ok(event) if event["target"] == "request" => {
                    logged.insert(fill::plain(&event["id"]), fill::plain(&event["outcome"]));
                }
                Ok(_) => {}
                Err(error) => faults.push(format!("a line of the log is no JSON ({error}): {line}")),
            }
        }
        for (id, (request, expected)) in &self.outcomes {
            match logged.get(id) {
                Some(outcome) if outcome == expected => {}
                other => faults.push(format!("{request} was to end as {expected}, the log says {other:?}")),
            }
        }
        faults
    }
}
