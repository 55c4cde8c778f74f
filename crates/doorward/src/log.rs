//! The log: one line for each event on standard error, as text or as JSON.
//!
//! The surprise: each line is looked through once more before it is written. A line can hold what a stranger
//! typed (a path, a user agent), and that must neither end the line nor move the cursor of whoever reads it.

use std::fmt;
#[cfg(not(unix))]
use std::io;

use doorward_core::{Clock, SetupError};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{self, FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

#[cfg(unix)]
use self::lines::standard_error;
use crate::config::{LogFormat, LogLevel};
use crate::printable::{is_plain, is_plain_ascii, printable};

#[cfg(unix)]
mod lines;

/// Room for nearly every line, in bytes.
const USUAL_LINE: usize = 256;

/// Logs to standard error from now on, for the whole process.
///
/// # Errors
/// When no file can be opened any more.
pub(crate) fn start(format: LogFormat, level: &LogLevel) -> Result<(), SetupError> {
    let subscriber = tracing_subscriber::registry().with(level.targets());
    let to = standard_error()?;
    // The first one stays, if somebody has set one already.
    let _ = match format {
        LogFormat::Text => subscriber.with(text(to)).try_init(),
        LogFormat::Json => subscriber.with(json(to)).try_init(),
    };
    Ok(())
}

#[cfg(not(unix))]
fn standard_error() -> Result<fn() -> io::Stderr, SetupError> {
    Ok(io::stderr)
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
    use std::io;
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
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
}
