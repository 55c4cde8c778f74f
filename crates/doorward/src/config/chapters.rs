//! The rows of the list of settings, by chapter.
//!
//! The surprise: the defaults are not here but in [`Config::default`](super::Config::default), where a program
//! that embeds doorward finds the same ones.

use std::time::Duration;

use doorward_core::key::MIN_SECRET;
use doorward_http::SecureCookies;

use super::kind::Kind;
use super::settings::Setting;
use super::{HashScheme, LogFormat, network};

pub(super) mod attempts;

pub(super) const SERVING: &[Setting] = &[
    Setting {
        name: "listen",
        kind: Kind::Address(|config| &mut config.listen),
        about: "Where to listen. Port 0 takes a free one. doorward speaks plain HTTP: beyond this machine, put a \
                proxy that speaks TLS before it.",
    },
    Setting {
        name: "database",
        kind: Kind::Database(|config| &mut config.database),
        about: "The database. It holds password hashes and signing keys. A file of SQLite is made if there is none, its \
                folder is not. A database of PostgreSQL has to be there, encoded in UTF-8; it takes several hosts, \
                `HOST1,HOST2`, and uses the one that can be written. Each schema of it, \
                `?options=-csearch_path%3DNAME`, is as good as a database of its own. A pooler in between has to lend \
                connections for as long as they last (`pool_mode = session` of pgbouncer). `sslmode=prefer` (the default) \
                encrypts if the server can; `verify-full` makes sure who it is, by the system's certificates or \
                `sslrootcert=FILE`. A URL with a password belongs into the environment or into a file: others on the \
                machine can read flags.",
    },
    Setting {
        name: "database_notify",
        kind: Kind::Flag(|config| &mut config.database_notify),
        about: "Whether nodes on one PostgreSQL database tell each other at once of ended sessions and new keys \
                (`LISTEN` and `NOTIFY`, on one more connection for each node). They ask four times a second, too; turn \
                it off where a proxy between node and database cannot pass it on.",
    },
    Setting {
        name: "contracts",
        kind: Kind::Contracts(|config| &mut config.contracts),
        about: "The contracts to serve, each at its prefix (`@/` is the root). Without any, every built-in contract \
                is served under `/<name>`, and those that say so also at the root. What has a `/` in it or ends in \
                `.toml` is a file.",
    },
    Setting {
        name: "origins",
        kind: Kind::List {
            at: |config| &mut config.origins,
            of: "origins as in `https://app.example.com`, or `loopback`",
            check: |text| doorward_http::check_origin(text).map_err(str::to_owned),
        },
        about: "The origins whose pages may call the contracts (CORS), besides those that a contract names. \
                `loopback` stands for every origin on the machine of the browser.",
    },
    Setting {
        name: "trusted_proxies",
        kind: Kind::List {
            at: |config| &mut config.trusted_proxies,
            of: "addresses or CIDR networks",
            check: network::check,
        },
        about: "The proxies whose `X-Forwarded-For` is believed, and what they say at `/v1/verify` of the request that \
                they ask about. Without them, all clients behind a proxy share one address and its limits. That browsers \
                speak TLS (`X-Forwarded-Proto: https`, or `proto=https` in `Forwarded`) is believed from whoever sends \
                it: it only ever takes rights away.",
    },
    Setting {
        name: "sign_in",
        kind: Kind::List {
            at: |config| &mut config.sign_in,
            of: "addresses of pages as in `https://app.example.com/sign-in`",
            check: |text| doorward_http::check_sign_in(text).map_err(str::to_owned),
        },
        about: "The sign-in pages to which `/v1/verify?sign_in=ADDRESS` may send a browser that has no good token. \
                The address that somebody wanted is told to the page as `return_to`, if it is of the page's own \
                origin or of one in `origins`.",
    },
    Setting {
        name: "secure_cookies",
        kind: Kind::Choice {
            words: &["auto", "always", "never"],
            pick: |config, word| {
                config.secure_cookies = match word {
                    "always" => SecureCookies::Always,
                    "never" => SecureCookies::Never,
                    _ => SecureCookies::Auto,
                }
            },
            picked: |config| match config.secure_cookies {
                SecureCookies::Auto => "auto",
                SecureCookies::Always => "always",
                SecureCookies::Never => "never",
            },
        },
        about: "Whether cookies are `Secure`. `auto`: always, except when a request names a loopback host and \
                nothing says that it came over TLS. `always` also says that browsers speak TLS: a page of the same \
                host without it (`http://…`) is then one of another site, and cookies that come from there do not \
                count where something is changed.",
    },
    Setting {
        name: "switches",
        kind: Kind::List {
            at: |config| &mut config.switches,
            of: "switches as `contract.switch`",
            // The contracts that are served say which there are.
            check: |_| Ok(()),
        },
        about: "What to turn on in contracts; `doorward contract show NAME` shows the switches of one.",
    },
    Setting {
        name: "hide_accounts",
        kind: Kind::Flag(|config| &mut config.hide_accounts),
        about: "Whether a login to an unknown account is answered like a wrong password, also where a contract \
                tells them apart. Attempts are counted for an account and not for each of its identifiers: whoever \
                has used up those of a username is told to wait for the e-mail address of the same account as well.",
    },
];

pub(super) const TOKENS: &[Setting] = &[
    Setting {
        name: "issuer",
        kind: Kind::Text(|config| &mut config.issuer),
        about: "The `iss` of every token. Access tokens of another issuer are refused: changing it logs out everybody who \
                has no refresh token. Sessions that have one go on with it.",
    },
    Setting {
        name: "jwt_secret",
        kind: Kind::Secret {
            at: |config| &mut config.jwt_secret,
            least: MIN_SECRET,
        },
        about: "A secret shared with services that check tokens themselves: tokens are signed with HS256. One that can \
                be guessed (fewer than 8 different bytes, `changeme` in it) is refused. Without it they are signed \
                with ES256, with keys that doorward makes, keeps in the database and publishes at `/.well-known/jwks.json`.",
    },
    Setting {
        name: "public_url",
        kind: Kind::Url(|config| &mut config.public_url),
        about: "Where this server is reached from outside, with the path of a proxy if it has one. Status lists are \
                served at `/v1/status-lists/N` below it; without it there are none. Its host is no strong password.",
    },
    Setting {
        name: "status_list",
        kind: Kind::Flag(|config| &mut config.status_list),
        about: "Whether new sessions take a place in a status list and their tokens name it, in the claim `status` \
                (draft-ietf-oauth-status-list-21). Turned off again, lists go on being served for tokens that name them.",
    },
];

pub(super) const PASSWORDS: &[Setting] = &[
    Setting {
        name: "hash_scheme",
        kind: Kind::Choice {
            words: &["argon2id", "bcrypt"],
            pick: |config, word| {
                config.hash_scheme = match word {
                    "bcrypt" => HashScheme::Bcrypt,
                    _ => HashScheme::Argon2id,
                }
            },
            picked: |config| match config.hash_scheme {
                HashScheme::Argon2id => "argon2id",
                HashScheme::Bcrypt => "bcrypt",
            },
        },
        about: "How new passwords are hashed. Hashes of the other scheme go on being verified, and weaker ones are \
                replaced at the next login. bcrypt takes no password over 72 bytes.",
    },
    Setting {
        name: "hash_memory_kib",
        kind: Kind::Number {
            at: |config| &mut config.hash_memory_kib,
            least: 8,
            most: 1_048_576,
        },
        about: "Memory of an argon2id hash in KiB, at least 8 for each lane. With less than OWASP advises (19456 with \
                2 passes, 7168 with 5) the start logs a warning. The hash threads together take \
                `hash_threads` times as much; twice that with one lane on x86-64 with AVX2 or AVX-512, where a thread \
                may make two hashes at once when two wait.",
    },
    Setting {
        name: "hash_passes",
        kind: Kind::Number {
            at: |config| &mut config.hash_passes,
            least: 1,
            most: 64,
        },
        about: "Passes of an argon2id hash over its memory.",
    },
    Setting {
        name: "hash_lanes",
        kind: Kind::Number {
            at: |config| &mut config.hash_lanes,
            least: 1,
            most: 16,
        },
        about: "Lanes of an argon2id hash. They are computed one after the other.",
    },
    Setting {
        name: "bcrypt_cost",
        kind: Kind::Number {
            at: |config| &mut config.bcrypt_cost,
            least: 4,
            most: 20,
        },
        about: "Cost of a bcrypt hash: two to the power of this many rounds. Below 10 the start logs a warning.",
    },
    Setting {
        name: "hash_threads",
        kind: Kind::Number {
            at: |config| &mut config.hash_threads,
            least: 0,
            most: 1024,
        },
        about: "Threads that hash; 0 takes one for each core.",
    },
    Setting {
        name: "hash_wait",
        kind: Kind::Duration {
            at: |config| &mut config.hash_wait,
            least: Duration::ZERO,
            most: Duration::from_mins(10),
        },
        about: "How long a password may wait for a hash thread. Who would wait longer, by the time that hashes have \
                taken lately, is answered \"busy\" at once, with the time after which there is a place. Sites \
                (IPv4: one address, IPv6: one /48) take turns, within a site its /64 networks do, and within a \
                network accounts; when the line is as long as it may be, the newest password of whoever has most in \
                it gives way to somebody who has less. Whoever has waited a second longer all the same, for hashes \
                became slower or others went first, is answered \"busy\" then. `0s` refuses whoever finds no thread \
                free.",
    },
    Setting {
        name: "password_long",
        kind: Kind::Number {
            at: |config| &mut config.password_long,
            least: 1,
            most: 1024,
        },
        about: "Characters from which on a new password is strong by its length, where a contract asks for a strong \
                one, unless zxcvbn finds it in next to no time: repeats, walks over the keyboard and one common \
                password twice are refused. Its first 32 characters must take 10⁹ guesses, of 14 characters or \
                fewer 10 to the power of six tenths of their number.",
    },
    Setting {
        name: "password_short",
        kind: Kind::Number {
            at: |config| &mut config.password_short,
            least: 1,
            most: 1024,
        },
        about: "Characters that a strong password has at least. Below `password_long` it must also be hard to guess.",
    },
    Setting {
        name: "password_min_score",
        kind: Kind::Number {
            at: |config| &mut config.password_min_score,
            least: 0,
            most: 4,
        },
        about: "How hard: the least zxcvbn score. 3 stands for 10⁸ guesses. `0` asks nothing, of long ones either.",
    },
    Setting {
        name: "password_blocklist",
        kind: Kind::File(|config| &mut config.password_blocklist),
        about: "Passwords that are never strong, one on each line, in UTF-8, 64 MiB at most. It is read at the start.",
    },
];

pub(super) const WATCHING: &[Setting] = &[
    Setting {
        name: "log_format",
        kind: Kind::Choice {
            words: &["text", "json"],
            pick: |config, word| {
                config.log_format = match word {
                    "json" => LogFormat::Json,
                    _ => LogFormat::Text,
                }
            },
            picked: |config| match config.log_format {
                LogFormat::Text => "text",
                LogFormat::Json => "json",
            },
        },
        about: "How the log on standard error is written. Both are one line for each event.",
    },
    Setting {
        name: "log_level",
        kind: Kind::LogLevel(|config| &mut config.log_level),
        about: "What is logged. The target `audit` tells what happened to accounts and sessions, wrong passwords and \
                attempts that came too early among it; `request` has a line for each request, and everything else \
                goes by its module, as in `doorward_store` or `doorward_core::hasher`. A word that is \
                neither a level nor a target is refused.",
    },
    Setting {
        name: "metrics",
        kind: Kind::Flag(|config| &mut config.metrics),
        about: "Whether `/metrics` is served. It counts, and names nobody.",
    },
];

pub(super) const LIMITS: &[Setting] = &[
    Setting {
        name: "sessions_per_account",
        kind: Kind::Number {
            at: |config| &mut config.sessions_per_account,
            least: 1,
            most: 100_000,
        },
        about: "How many sessions an account may have. A login beyond that ends those that were opened, renewed or \
                refreshed last the longest ago, a tenth of this number at once, but 1,000 at most. Logins at the same \
                time may all pass it together; the next one mends that. A session that nobody logs out of counts \
                until it expires, and whoever logs in for each request has one for each. A login counts them: 0.03 ms \
                for each thousand.",
    },
    Setting {
        name: "body_timeout",
        kind: Kind::Duration {
            at: |config| &mut config.body_timeout,
            least: Duration::from_millis(100),
            most: Duration::from_mins(10),
        },
        about: "How long the body of a request may take to arrive.",
    },
    Setting {
        name: "stop_timeout",
        kind: Kind::Duration {
            at: |config| &mut config.stop_timeout,
            least: Duration::ZERO,
            most: Duration::from_hours(1),
        },
        about: "How long a stop (SIGTERM, SIGHUP or Ctrl-C) waits for requests in flight.",
    },
    Setting {
        name: "max_connections",
        kind: Kind::Number {
            at: |config| &mut config.max_connections,
            least: 1,
            most: 1_000_000,
        },
        about: "Connections at once; further ones wait until one closes. One network (IPv4: one address, IPv6: one /64) \
                has a quarter of them at most, or 64 if that is more; further ones of it are closed, with a warning in \
                the log. `trusted_proxies` and this machine may have all. On Linux the server raises its limit of open \
                files as far as the system lets it, and takes fewer connections where that is too low, with a warning \
                in the log. Elsewhere that limit has to be higher.",
    },
];
