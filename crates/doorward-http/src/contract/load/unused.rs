//! What a file declares and nobody uses.

use doorward_core::error::did_you_mean;

use super::super::section::{Result, Section};
use super::super::wide::WIDE;
use super::Loader;

impl<'s> Loader<'s> {
    /// What is declared and used by nobody is a mistake.
    pub(super) fn complain_about_unused(&self, root: &Section<'s>) -> Result<()> {
        for (name, (key, _)) in &self.answers {
            if !self.used_answers.borrow().contains(name) {
                let what = format!("no route uses the answer `{name}`");
                let wide: Vec<&str> = WIDE.iter().map(|row| row.1).collect();
                let hint = did_you_mean(name, wide);
                return Err(self
                    .source
                    .fault(key.span.clone(), what, format!("{hint} (or remove it)")));
            }
        }
        for (name, (key, _)) in &self.fields {
            if !self.used_fields.borrow().contains(name) {
                let what = format!("no route reads the field `{name}`");
                return Err(self.source.fault(
                    key.span.clone(),
                    what,
                    "name it in the `fields` of a route, or remove it",
                ));
            }
        }
        for (section, used, whose, hint) in [
            (
                "shape",
                &self.used_shapes,
                "no answer shows the shape",
                "remove it, or write `\"{NAME}\"` where it is to stand; `fault` stands for each of `{faults}` without \
                 `by_field`, and `session` for each of `{sessions}`",
            ),
            (
                "cookie",
                &self.used_cookies,
                "nobody sets, clears or reads the cookie",
                "name it in `set_cookies` or `clear_cookies` of an answer, or as `cookie:NAME` in `[token] from`, or \
                 remove it",
            ),
            (
                "switch",
                &self.used_switches,
                "no route uses the switch",
                "write the answers that it replaces under `[route.with.NAME]`, or remove it",
            ),
        ] {
            let keys = root.section(section)?.entries().into_iter().map(|(key, _)| key);
            if let Some(key) = { keys }.find(|key| !used.borrow().contains(&key.text)) {
                let hint = hint.replace("NAME", &key.text);
                return Err(self.source.fault(key.span, format!("{whose} `{}`", key.text), hint));
            }
        }
        Ok(())
    }
}
