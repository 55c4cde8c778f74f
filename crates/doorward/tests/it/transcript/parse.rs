//! Reads a transcript. The surprise: every line has to be of a known kind, so that a slip of the pen is no comment.

/// A transcript.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) arguments: Vec<String>,
    pub(crate) steps: Vec<Step>,
}

/// One step and where it stands.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) title: String,
    pub(crate) what: What,
}

/// What a step does.
#[derive(Debug)]
pub(crate) enum What {
    Exchange(Exchange),
    Check(String),
    Command(String),
    Damage(String),
}

/// A request and the answer expected.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    /// Method and path.
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<String>,
    pub(crate) expected: Expected,
}

impl Exchange {
    /// The method and the path without its query.
    pub(crate) fn place(&self) -> (&str, &str) {
        let (method, target) = self.line.split_once(' ').unwrap_or((&self.line, ""));
        (method, target.split('?').next().unwrap_or_default())
    }
}

/// The answer expected.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    pub(crate) status: u16,
    pub(crate) outcome: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) absent: Vec<String>,
    pub(crate) body: Option<String>,
    /// Whether the body is compared byte for byte.
    pub(crate) exact: bool,
}

/// The lines of one kind that follow each other, without their mark.
struct Block<'t> {
    line: usize,
    lines: Vec<&'t str>,
    exact: bool,
}

impl Block<'_> {
    /// The first line, the headers, and the body after the first empty line.
    fn parts(&self) -> (&str, &[&str], Option<String>) {
        let first = self.lines.first().copied().unwrap_or_default();
        let rest = self.lines.get(1..).unwrap_or_default();
        match rest.iter().position(|line| line.is_empty()) {
            Some(at) => (first, &rest[..at], Some(rest[at + 1..].join("\n"))),
            None => (first, rest, None),
        }
    }
}

/// Reads a whole file. A fault begins with its line number.
pub(crate) fn parse(text: &str) -> Result<Transcript, String> {
    let mut transcript = Transcript::default();
    let mut title = String::new();
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .peekable();
    while let Some((number, line)) = lines.next() {
        let fault = |what: &str| format!("{number}: {what}: {line}");
        let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
        let what = match mark {
            "" | "#" => continue,
            "##" => {
                rest.clone_into(&mut title);
                continue;
            }
            "@setting" => {
                let (name, value) = rest
                    .trim()
                    .split_once(' ')
                    .ok_or_else(|| fault("a setting has a value"))?;
                transcript.settings.push((name.to_owned(), value.trim().to_owned()));
                continue;
            }
            "@serve" => {
                transcript.arguments.extend(rest.split_whitespace().map(str::to_owned));
                continue;
            }
            ">" => {
                let sent = block(number, line, ">", &mut lines);
                let (number, line) = lines.next().ok_or_else(|| fault("no answer expected"))?;
                if !line.starts_with('<') {
                    return Err(format!("{number}: an expected answer has to follow: {line}"));
                }
                let expected = block(number, line, "<", &mut lines);
                What::Exchange(exchange(&sent, &expected)?)
            }
            "?" => What::Check(rest.to_owned()),
            "$" => What::Command(rest.to_owned()),
            "!" => What::Damage(rest.to_owned()),
            _ => return Err(fault("a line of no known kind")),
        };
        transcript.steps.push(Step {
            line: number,
            title: title.clone(),
            what,
        });
    }
    Ok(transcript)
}

/// Takes the lines that begin with a mark, from one that was already read on.
fn block<'t>(
    line: usize,
    first: &'t str,
    mark: &str,
    lines: &mut std::iter::Peekable<impl Iterator<Item = (usize, &'t str)>>,
) -> Block<'t> {
    let mut block = Block {
        line,
        lines: Vec::new(),
        exact: false,
    };
    let mut next = Some(first);
    while let Some(text) = next {
        let text = text.strip_prefix(mark).unwrap_or_default();
        let exact = text.strip_prefix('=');
        block.exact |= exact.is_some();
        let text = exact.unwrap_or(text);
        block.lines.push(text.strip_prefix(' ').unwrap_or(text));
        next = lines.next_if(|(_, line)| line.starts_with(mark)).map(|(_, line)| line);
    }
    block
}

fn exchange(sent: &Block<'_>, expected: &Block<'_>) -> Result<Exchange, String> {
    let (line, head, body) = sent.parts();
    let mut exchange = Exchange {
        line: line.to_owned(),
        headers: head
            .iter()
            .map(|line| header(sent.line, line))
            .collect::<Result<_, _>>()?,
        body,
        expected: Expected {
            exact: expected.exact,
            ..Expected::default()
        },
    };
    let (line, head, body) = expected.parts();
    let (status, outcome) = line.split_once(' ').unwrap_or((line, ""));
    exchange.expected.status = status
        .parse()
        .map_err(|_| format!("{}: no status: {line}", expected.line))?;
    outcome.trim().clone_into(&mut exchange.expected.outcome);
    exchange.expected.body = body;
    for line in head {
        match line.strip_prefix('!') {
            Some(name) => exchange.expected.absent.push(name.trim().to_owned()),
            None => exchange.expected.headers.push(header(expected.line, line)?),
        }
    }
    Ok(exchange)
}

fn header(number: usize, line: &str) -> Result<(String, String), String> {
    let (name, value) = line
        .split_once(':')
        .ok_or_else(|| format!("{number}: no header: {line}"))?;
    Ok((name.to_owned(), value.trim().to_owned()))
}

#[test]
fn reads_every_kind_of_line_and_no_other() {
    let text = "# c\n@setting a b c\n@serve --x y\n\n## t\n> GET /a?b\n> H: v\n>\n> body\n> two\n< 200 ok\n< !X\n< Y: z\n<\n<= {}\n? c\n$ d\n! e\n";
    let transcript = parse(text).unwrap();
    assert_eq!(transcript.settings, [("a".to_owned(), "b c".to_owned())]);
    assert_eq!(transcript.arguments, ["--x", "y"]);
    let [first, ..] = transcript.steps.as_slice() else {
        panic!("no steps");
    };
    assert_eq!((first.line, first.title.as_str()), (6, "t"));
    let What::Exchange(exchange) = &first.what else {
        panic!("{first:?}");
    };
    assert_eq!(exchange.place(), ("GET", "/a"));
    assert_eq!(exchange.body.as_deref(), Some("body\ntwo"));
    assert_eq!(exchange.expected.status, 200);
    assert_eq!(exchange.expected.outcome, "ok");
    assert_eq!(exchange.expected.absent, ["X"]);
    assert_eq!(exchange.expected.body.as_deref(), Some("{}"));
    assert!(exchange.expected.exact);
    assert_eq!(transcript.steps.len(), 4);
    for wrong in ["GET /", "> GET /", "> GET /\n? x", "> GET /\n< ok", "@setting a"] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}
