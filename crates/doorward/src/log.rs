//! The log: one line for each event on standard error, as text or as JSON.
//!
//! The surprise: each line is looked through once more before it is written. A line can hold what a stranger
//! typed (a path, a user agent), and that must neither end the line nor move the cursor of whoever reads it.

use std::fmt;
#[cfg(unix)]
use std::fs::File;
use std::io;
use std::str::FromStr;
#[cfg(unix)]
use std::sync::Arc;

use doorward_core::{Clock, SetupError};
#[cfg(unix)]
use parking_lot::RwLock;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{self, FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogFormat;
use crate::printable::{is_plain, is_plain_ascii, printable};

/// Room for nearly every line, in bytes.
const USUAL_LINE: usize = 256;

/// Logs to standard error from now on, for the whole process.
///
/// # Errors
/// When the level is none, or no file can be opened any more.
pub(crate) fn start(format: LogFormat, level: &str) -> Result<(), SetupError> {
    let targets = Targets::from_str(level).map_err(|error| {
        SetupError::new(
            format!("`log_level` cannot be `{level}`: {error}"),
            "write `info`, or `warn,audit=info`",
        )
    })?;
    let subscriber = tracing_subscriber::registry().with(targets);
    let to = standard_error()?;
    // The first one stays, if somebody has set one already.
    let _ = match format {
        LogFormat::Text => subscriber.with(text(to)).try_init(),
        LogFormat::Json => subscriber.with(json(to)).try_init(),
    };
    Ok(())
}

/// Standard error without the lock that the library holds while it writes, and for which other requests would wait.
#[cfg(unix)]
fn standard_error() -> Result<Arc<Lines>, SetupError> {
    use std::os::fd::AsFd;
    let own = io::stderr().as_fd().try_clone_to_owned().map_err(|error| {
        SetupError::new(
            format!("standard error cannot be written: {error}"),
            "raise the limit of open files (`ulimit -n`)",
        )
    })?;
    Ok(Arc::new(Lines::to(own.into())))
}

#[cfg(not(unix))]
fn standard_error() -> Result<fn() -> io::Stderr, SetupError> {
    Ok(io::stderr)
}

/// The most that a pipe takes in one piece, on any system (POSIX, `_POSIX_PIPE_BUF`), in bytes.
#[cfg(unix)]
const PIPE_BUF: usize = 512;

/// A file of lines that nothing comes between, though many threads write at once.
#[cfg(unix)]
struct Lines {
    to: File,
    /// Shared by those who write one piece, and held alone by who writes several.
    pieces: RwLock<()>,
}

#[cfg(unix)]
impl Lines {
    fn to(file: File) -> Self {
        Self {
            to: file,
            pieces: RwLock::new(()),
        }
    }
}

#[cfg(unix)]
impl io::Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if line.len() <= PIPE_BUF {
            let _shared = self.pieces.read();
            (&self.to).write(line)
        } else {
            let _alone = self.pieces.write();
            (&self.to).write_all(line).map(|()| line.len())
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type TextLayer<S, W> =
    tracing_subscriber::fmt::Layer<S, format::DefaultFields, OneLine<format::Format<format::Full, Time>>, W>;
type JsonLayer<S, W> =
    tracing_subscriber::fmt::Layer<S, format::JsonFields, OneLine<format::Format<format::Json, Time>>, W>;

fn text<S, W>(to: W) -> TextLayer<S, W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    let format = format::format().with_timer(Time(Clock::system())).with_ansi(false);
    let format = OneLine { format, json: false };
    tracing_subscriber::fmt::layer().event_format(format).with_writer(to)
}

fn json<S, W>(to: W) -> JsonLayer<S, W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    let format = format::format()
        .with_timer(Time(Clock::system()))
        .json()
        .flatten_event(true);
    let format = OneLine { format, json: true };
    tracing_subscriber::fmt::layer()
        .fmt_fields(format::JsonFields::new())
        .event_format(format)
        .with_writer(to)
}

/// The time of an event, by the one clock there is.
struct Time(Clock);

impl FormatTime for Time {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        write!(w, "{}", self.0.now())
    }
}

/// A format whose events are one line each, without anything that acts on a terminal.
struct OneLine<F> {
    format: F,
    json: bool,
}

impl<S, N, F> FormatEvent<S, N> for OneLine<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::with_capacity(USUAL_LINE);
        self.format.format_event(context, Writer::new(&mut line), event)?;
        let line = line.strip_suffix('\n').unwrap_or(&line);
        if self.json {
            // In JSON such characters stand in strings only, where they may be written as escapes (RFC 8259
            // section 7).
            if is_plain_ascii(line) {
                return writeln!(writer, "{line}");
            }
            for c in line.chars() {
                if is_plain(c) {
                    writer.write_char(c)?;
                } else {
                    write!(writer, "\\u{:04x}", u32::from(c))?;
                }
            }
            writer.write_char('\n')
        } else {
            writeln!(writer, "{}", printable(line))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};

    use parking_lot::Mutex;

    use super::*;

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Kept {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().clone()).unwrap()
        }
    }

    const HOSTILE: &str = "/x\r\n2026 INFO forged \u{1b}[31m\u{9b}31m \u{202e}evil\u{2028}";

    fn log_something() {
        tracing::info!(path = HOSTILE, shown = %HOSTILE, "answered {HOSTILE}");
    }

    #[test]
    fn a_text_event_is_one_harmless_line() {
        let kept = Kept::default();
        let to = kept.clone();
        let subscriber = tracing_subscriber::registry().with(text(move || to.clone()));
        tracing::subscriber::with_default(subscriber, log_something);
        let text = kept.text();
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert!(
            text.ends_with('\n') && text.trim_end_matches('\n').chars().all(is_plain),
            "{text:?}"
        );
        assert!(text.contains(" INFO ") && text.contains("answered /x"), "{text}");
    }

    #[test]
    fn a_json_event_is_one_harmless_line_that_can_be_read() {
        let kept = Kept::default();
        let to = kept.clone();
        let subscriber = tracing_subscriber::registry().with(json(move || to.clone()));
        tracing::subscriber::with_default(subscriber, log_something);
        let text = kept.text();
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert!(text.trim_end_matches('\n').chars().all(is_plain), "{text:?}");
        let event: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(event["path"], HOSTILE);
        assert_eq!(event["level"], "INFO");
    }

    #[cfg(unix)]
    #[test]
    fn a_long_line_stays_in_one_piece_though_the_pipe_is_full() {
        let (reader, writer) = io::pipe().unwrap();
        std::thread::scope(|scope| {
            let read = scope.spawn(|| BufReader::new(reader).lines().map(Result::unwrap).collect::<Vec<_>>());
            let lines = Lines::to(std::os::fd::OwnedFd::from(writer).into());
            std::thread::scope(|scope| {
                // A pipe holds 64 KiB.
                for (letter, length) in [("a", 200_000), ("b", 200_000), ("c", 100), ("d", PIPE_BUF - 1)] {
                    let (line, mut lines) = (letter.repeat(length) + "\n", &lines);
                    scope.spawn(move || (0..20).for_each(|_| lines.write_all(line.as_bytes()).unwrap()));
                }
            });
            drop(lines);
            let read = read.join().unwrap();
            assert_eq!(read.len(), 80);
            let is_whole = |line: &String| line.bytes().all(|byte| line.starts_with(char::from(byte)));
            assert!(read.iter().all(is_whole));
        });
    }
}
