//! The rows of the limits on guesses and registrations.
//!
//! The surprise: a test holds the table in `SECURITY.md` to these rows.

use std::time::Duration;

use super::super::kind::Kind;
use super::super::settings::Setting;

pub(in super::super) const ATTEMPTS: &[Setting] = &[
    Setting {
        name: "throttle",
        kind: Kind::Flag(|config| &mut config.throttle),
        about: "Whether attempts at passwords are limited. Turn it off for load tests only.",
    },
    Setting {
        name: "throttle_attempts",
        kind: Kind::Number {
            at: |config| &mut config.throttle_attempts,
            least: 1,
            most: 1_000_000,
        },
        about: "Attempts in a row on one account before the first delay, which is a second; each further attempt \
                doubles it. All networks share them, but for those from which the account's password was given lately: \
                each of these has its own.",
    },
    Setting {
        name: "throttle_max_delay",
        kind: Kind::Duration {
            at: |config| &mut config.throttle_max_delay,
            least: Duration::from_secs(1),
            most: Duration::from_hours(24),
        },
        about: "The longest such delay. A network that has tried the account in the last day, or asks again and again, \
                waits for up to five, so that others go first. An account is never locked for good: anybody could do \
                that to anybody.",
    },
    Setting {
        name: "throttle_per_address",
        kind: Kind::Number {
            at: |config| &mut config.throttle_per_address,
            least: 1,
            most: 1_000_000,
        },
        about: "Failed attempts from one address (IPv6: one /64 network) in one window.",
    },
    Setting {
        name: "throttle_window",
        kind: Kind::Duration {
            at: |config| &mut config.throttle_window,
            least: Duration::from_secs(1),
            most: Duration::from_hours(24),
        },
        about: "How long such a window lasts.",
    },
    Setting {
        name: "throttle_registrations",
        kind: Kind::Number {
            at: |config| &mut config.throttle_registrations,
            least: 1,
            most: 1_000_000,
        },
        about: "Registrations from one address (IPv6: one /48 site) in one window, whether they make an account or \
                find its name taken.",
    },
];
