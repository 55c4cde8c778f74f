//! The layer of the environment: `DOORWARD_` and the name of the setting in capitals.
//!
//! The only place that reads the environment. The surprise: a variable that begins like ours and is none of
//! ours stops the start, because it is a misspelt setting more often than not.

use std::ffi::OsString;
use std::path::PathBuf;

use doorward_core::SetupError;

use super::layers::{Entry, Key, Raw};
use crate::printable::printable;

const PREFIX: &str = "DOORWARD_";

/// The variable that names the configuration file, as `--config` does.
pub(super) const FILE: &str = "DOORWARD_CONFIG";

/// What the environment says.
pub(super) struct Environment {
    /// The configuration file.
    pub(super) file: Option<PathBuf>,
    pub(super) entries: Vec<Entry>,
}

/// Reads the environment of this process.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(super) fn read() -> Result<Environment, SetupError> {
    of(std::env::vars_os())
}

/// Reads these variables.
pub(super) fn of(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<Environment, SetupError> {
    let mut environment = Environment {
        file: None,
        entries: Vec::new(),
    };
    for (variable, value) in variables {
        let Some(variable) = variable.to_str().filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        if variable == FILE && value.is_empty() {
            return Err(SetupError::new(
                format!("the environment variable {FILE} is empty"),
                format!("name a file in it; `unset {FILE}` forgets it"),
            ));
        }
        if variable == FILE {
            environment.file = Some(PathBuf::from(value));
            continue;
        }
        // Capitals only: a variable that is like ours but for its case is not ours.
        let name = Key::names().into_iter().find(|name| self::variable(name) == variable);
        let Some(key) = name.and_then(|name| Key::named(&name)) else {
            return Err(unknown(variable, value.to_str().unwrap_or_default()));
        };
        let value = value.into_string().map_err(|_| {
            SetupError::new(
                format!("the environment variable {variable} is no text in UTF-8"),
                "set it anew",
            )
        })?;
        environment.entries.push(Entry {
            key,
            value: Raw::Text(value),
            source: variable.to_owned(),
            place: variable.to_owned(),
        });
    }
    Ok(environment)
}

/// The variable of a setting.
pub(super) fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_ascii_uppercase())
}

fn unknown(found: &str, value: &str) -> SetupError {
    // Compared without what they all begin with, which would make everything look near.
    let shown = printable(found);
    let rest = found.trim_start_matches(PREFIX).to_ascii_lowercase();
    let port = Some(value).filter(|value| rest == "port" && value.parse::<u16>().is_ok());
    let hint = match (port, Key::meant(&rest, Some("config"))) {
        (Some(port), _) => format!("write `{}=127.0.0.1:{port}`", variable("listen")),
        // Kubernetes does this to every container beside a service of the name `doorward`; its port is an address.
        _ if rest.starts_with("service_") || rest.starts_with("port") => {
            "Kubernetes sets it for a service called `doorward`: put `enableServiceLinks: false` into the pod's spec"
                .to_owned()
        }
        (_, Some(meant)) => format!("did you mean `{}`?", variable(&meant)),
        _ => format!("`doorward config` shows all settings; `unset {shown}` forgets it"),
    };
    SetupError::new(format!("the environment variable {shown} sets nothing"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<Environment, SetupError> {
        of([(OsString::from(name), OsString::from(value))].into_iter())
    }

    #[test]
    fn takes_its_own_variables_and_leaves_the_others() {
        let environment = read("DOORWARD_HASH_THREADS", "5").unwrap();
        assert_eq!(environment.entries[0].key.setting.name, "hash_threads");
        assert!(read("PATH", "/bin").unwrap().entries.is_empty());
        assert!(read("doorward_listen", "x").unwrap().entries.is_empty());
        let environment = read("DOORWARD_CONFIG", "/etc/doorward.toml").unwrap();
        assert_eq!(environment.file, Some("/etc/doorward.toml".into()));
        assert!(read("DOORWARD_JWT_SECRET_FILE", "x").unwrap().entries[0].key.in_file);
    }

    #[test]
    fn refuses_a_misspelt_variable_with_the_one_that_was_meant() {
        for (wrong, hint) in [
            ("DOORWARD_LISTN", "did you mean `DOORWARD_LISTEN`?"),
            ("DOORWARD_COLOUR", "`unset DOORWARD_COLOUR`"),
            ("DOORWARD_SERVICE_HOST", "enableServiceLinks"),
            ("DOORWARD_PORT_8080_TCP_ADDR", "enableServiceLinks"),
            ("DOORWARD_PORT", "enableServiceLinks"),
            ("DOORWARD_DATABASE_URL", "did you mean `DOORWARD_DATABASE`?"),
            ("DOORWARD_JWT_SECRTE", "did you mean `DOORWARD_JWT_SECRET`?"),
        ] {
            let said = read(wrong, "x").err().unwrap().to_string();
            assert!(said.contains(hint), "{said}");
        }
    }

    /// Whoever puts the secret of a client there has tokens signed with it.
    #[test]
    fn no_secret_is_meant_by_what_is_merely_like_its_name() {
        for like in [
            "DOORWARD_CLIENT_SECRET",
            "DOORWARD_CLIENT_ID",
            "DOORWARD_WEB_SECRET",
            "DOORWARD_SECRET",
            "DOORWARD_CLIENT_SECRET_FILE",
        ] {
            let said = read(like, "x").err().unwrap().to_string();
            assert!(!said.contains("JWT_SECRET"), "{said}");
        }
    }

    #[test]
    fn a_port_is_no_service_of_kubernetes() {
        let said = read("DOORWARD_PORT", "9000").err().unwrap().to_string();
        assert!(said.contains("hint: write `DOORWARD_LISTEN=127.0.0.1:9000`"), "{said}");
        let said = read("DOORWARD_PORT", "tcp://10.0.0.7:8080").err().unwrap().to_string();
        assert!(said.contains("enableServiceLinks"), "{said}");
    }

    #[test]
    fn no_file_is_named_by_nothing() {
        let said = read("DOORWARD_CONFIG", "").err().unwrap().to_string();
        assert!(said.contains("DOORWARD_CONFIG is empty\nhint: "), "{said}");
    }
}
