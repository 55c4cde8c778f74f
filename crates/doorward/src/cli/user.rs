//! `doorward user`: accounts, managed by an operator, also while a server runs on the same database.
//!
//! The surprise: nobody tells a running server. It looks for itself, several times a second, so that a token of
//! a disabled account is dead within one second.

use std::fmt::Write as _;
use std::io::{self, Write};

use clap::{Args, Subcommand};
use doorward_core::SetupError;
use doorward_core::account::{Account, Profile};
use doorward_core::action::MAX_NAME;
use doorward_core::error::did_you_mean;
use doorward_core::identifier::{MAX_IDENTIFIER, is_email};
use doorward_core::realm::{DEFAULT_REALM, Realm, check_name};
use doorward_store::Schema;

use self::end_sessions::EndArgs;
use self::password::PasswordArgs;
use super::operator::{Operator, Prepared};
use super::{Failure, Place, tell};
use crate::config::Database;
use crate::printable::printable;

mod end_sessions;
mod password;

/// Accounts that are read at a time when they are listed.
const PAGE: usize = 500;

#[derive(Args)]
pub(super) struct UserArgs {
    /// Realm of the account [default: main]
    #[arg(long, global = true, help_heading = "Where")]
    realm: Option<String>,
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Subcommand)]
enum UserCommand {
    /// Make an account
    Add(AddArgs),
    /// End the account's sessions, or with `--all` those of everybody
    ///
    /// With `--all` every session of every account of all realms ends, or of the realm that `--realm` names, also while
    /// servers run. They know within a second of each. It goes on in portions, so that log-ins of the servers get
    /// along; interrupted, run it again. A session that is opened by a log-in meanwhile may stay: to shut out log-ins
    /// as well, stop the servers first.
    EndSessions(EndArgs),
    #[command(flatten)]
    Manage(ManageCommand),
}

/// What is done to accounts that there are.
#[derive(Subcommand)]
enum ManageCommand {
    /// List the accounts
    List,
    /// Keep an account from signing in, and end its sessions
    Disable(Named),
    /// Let an account sign in again
    Enable(Named),
    /// Set another password, and end the account's sessions
    ResetPassword {
        #[command(flatten)]
        named: Named,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Delete an account, and end its sessions
    Delete(Named),
}

#[derive(Args)]
struct AddArgs {
    #[command(flatten)]
    identifiers: Identifiers,
    /// First name
    #[arg(long)]
    first_name: Option<String>,
    /// Last name
    #[arg(long)]
    last_name: Option<String>,
    #[command(flatten)]
    password: PasswordArgs,
    /// Make the realm if there is none of this name
    #[arg(long)]
    new_realm: bool,
}

/// What the person will type to say who they are.
#[derive(Args)]
#[group(required = true, multiple = true)]
struct Identifiers {
    /// E-mail address
    #[arg(long)]
    email: Option<String>,
    /// Username
    #[arg(long)]
    username: Option<String>,
}

/// The most realms that are looked through; each is named in a contract file.
const MAX_REALMS: usize = 1000;

#[derive(Args)]
struct Named {
    /// E-mail address, username, UUID or number; `email:…`, `username:…`, `id:…` and `number:…` mean nothing else
    account: String,
}

pub(super) fn run(args: UserArgs) -> Result<(), Failure> {
    let UserArgs { realm, place, command } = args;
    check_name(or_default(realm.as_deref())).map_err(Failure::usage)?;
    match command {
        UserCommand::Add(args) => add(args, place, or_default(realm.as_deref())),
        UserCommand::EndSessions(args) => args.run(place, realm.as_deref()),
        UserCommand::Manage(command) => manage(command, place, or_default(realm.as_deref())),
    }
}

/// The realm that is meant where none is named.
fn or_default(realm: Option<&str>) -> &str {
    realm.unwrap_or(DEFAULT_REALM)
}

fn manage(command: ManageCommand, place: Place, realm: &str) -> Result<(), Failure> {
    let desk = Desk::open(place, realm)?;
    let auth = &desk.operator.auth;
    match command {
        ManageCommand::List => desk.list(&mut io::stdout().lock()),
        ManageCommand::Disable(named) => {
            let account = desk.find(&named)?;
            let done = desk.operator.wait(auth.disable_account(account.id))?;
            desk.told(done, &account, "is disabled; its sessions are ended", None)
        }
        ManageCommand::Enable(named) => {
            let account = desk.find(&named)?;
            let done = desk.operator.wait(auth.enable_account(account.id))?;
            desk.told(done, &account, "may sign in", None)
        }
        ManageCommand::ResetPassword { named, password } => desk.reset_password(&named, &password),
        ManageCommand::Delete(named) => {
            let account = desk.find(&named)?;
            let done = desk.operator.wait(auth.delete_account(account.id))?;
            desk.told(done, &account, "is deleted; its sessions are ended", None)
        }
    }
}

/// Makes an account. Whatever can be wrong with what was typed is found before a database is made for it.
fn add(args: AddArgs, place: Place, realm: &str) -> Result<(), Failure> {
    let profile = Profile {
        email: args.identifiers.email,
        username: args.identifiers.username,
        first_name: args.first_name,
        last_name: args.last_name,
        ..Profile::default()
    };
    check(&profile).map_err(Failure::usage)?;
    let prepared = Prepared::new(place)?;
    let password = args.password.choose(&prepared.config, &prepared.hasher, &profile)?;
    let made = match &prepared.config.database {
        Database::Sqlite(path) if !path.exists() => Some(path.clone()),
        _ => None,
    };
    let operator = prepared.open(Schema::Make)?;
    if let Some(path) = made {
        // Whoever is in another folder than the server has just made a second one.
        let _ = writeln!(
            io::stderr(),
            "the database {} was made, since there was none; hint: a server that runs already has another one: be in its \
             folder, or give its `--database`",
            path.display()
        );
    }
    let desk = Desk {
        realm: realm_to_add_to(&operator, realm, args.new_realm)?,
        operator,
    };
    let added = desk.operator.auth.add_account(&desk.realm, profile, &password.secret);
    let account = desk.operator.wait(added)?.ok_or_else(|| {
        Failure::of(
            "another account has this e-mail address or username",
            "`doorward user list` shows all accounts",
        )
    })?;
    desk.told(true, &account, "is made", password.to_show())
}

/// A realm that there is; a mistyped one is not made.
fn known_realm(operator: &Operator, name: &str) -> Result<Realm, Failure> {
    let realms = operator.wait(operator.auth.store().list_realms(MAX_REALMS))?;
    let names: Vec<String> = realms.iter().map(|realm| realm.name.clone()).collect();
    realms.into_iter().find(|realm| realm.name == name).ok_or_else(|| {
        let hint = match names.as_slice() {
            [] => "`doorward serve` and `user add` make realms".to_owned(),
            names => did_you_mean(name, names.iter().map(String::as_str)),
        };
        Failure::of(format!("there is no realm `{}`", printable(name)), printable(&hint))
    })
}

/// The realm of a new account. One that is not there yet is made if it is the first one, that of most contracts, or
/// asked for.
fn realm_to_add_to(operator: &Operator, name: &str, is_new: bool) -> Result<Realm, Failure> {
    let realms = operator.wait(operator.auth.store().list_realms(MAX_REALMS))?;
    let is_there = || realms.iter().any(|realm| realm.name == name);
    if is_new || name == DEFAULT_REALM || realms.is_empty() || is_there() {
        return Ok(operator.wait(operator.auth.realm(name))?);
    }
    let others = did_you_mean(name, realms.iter().map(|realm| &*realm.name));
    Err(Failure::of(
        format!("there is no realm `{}`", printable(name)),
        format!("`--new-realm` makes it; {}", printable(&others)),
    ))
}

/// Where an operator manages the accounts of a realm.
struct Desk {
    operator: Operator,
    realm: Realm,
}

impl Desk {
    fn open(place: Place, realm: &str) -> Result<Self, Failure> {
        let operator = Operator::open(place, Schema::Keep)?;
        Ok(Self {
            realm: known_realm(&operator, realm)?,
            operator,
        })
    }

    fn reset_password(&self, named: &Named, args: &PasswordArgs) -> Result<(), Failure> {
        let account = self.find(named)?;
        let auth = &self.operator.auth;
        let password = args.choose(&self.operator.config, auth.hasher(), &account.profile)?;
        let done = self.operator.wait(auth.reset_password(account.id, &password.secret))?;
        let what = "has another password; its sessions are ended";
        self.told(done, &account, what, password.to_show())
    }

    /// Says what was done, if it was (the account can have been deleted since it was found), and a password that nobody
    /// knows yet.
    fn told(&self, done: bool, account: &Account, what: &str, password: Option<&str>) -> Result<(), Failure> {
        let hint = "`doorward user list` shows all accounts";
        if !done {
            return Err(Failure::of("the account was deleted in the meantime", hint));
        }
        let number = account.number;
        let done = format!("account {number} ({}) {what}", identifiers(account));
        let Some(password) = password else {
            return tell(&format!("{done}\n"), &done, "this", hint);
        };
        let realm = printable(&self.realm.name);
        let hint = format!("`doorward user reset-password --realm {realm} number:{number}` makes another one");
        tell(&format!("{done}\npassword: {password}\n"), &done, "its password", hint)
    }

    fn list(&self, out: &mut dyn Write) -> Result<(), Failure> {
        writeln!(
            out,
            "{:>6}  {:36}  {:24}  {:24}  IDENTIFIERS",
            "NUMBER", "ID", "CREATED", "DISABLED"
        )?;
        let mut after = 0;
        loop {
            let page = self.operator.auth.store().list_accounts(self.realm.id, after, PAGE);
            let page = self.operator.wait(page)?;
            for account in &page {
                let disabled = account.disabled_at.map_or("-".to_owned(), |at| at.to_string());
                let (number, id, created) = (account.number, account.id.to_string(), account.created_at.to_string());
                writeln!(
                    out,
                    "{number:>6}  {id:36}  {created:24}  {disabled:24}  {}",
                    identifiers(account)
                )?;
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = last.number,
                _ => return Ok(()),
            }
        }
    }

    fn find(&self, named: &Named) -> Result<Account, Failure> {
        let meant = self.operator.auth.accounts_meant(&self.realm, &named.account);
        let mut meant = self.operator.wait(meant)?;
        let typed = printable(&named.account);
        match meant.pop() {
            Some(account) if meant.is_empty() => Ok(account),
            Some(account) => {
                meant.push(account);
                let shown = meant
                    .iter()
                    .map(|account| format!("{} ({})", account.number, identifiers(account)));
                let forms = meant.iter().map(|account| format!("`number:{}`", account.number));
                Err(Failure::of(
                    format!("`{typed}` can be more than one account: {}", joined(shown)),
                    format!("say which one you mean: {}", joined(forms)),
                ))
            }
            None => Err(Failure::of(
                format!("no account of the realm `{}` is `{typed}`", printable(&self.realm.name)),
                "name its e-mail address, username, UUID or number, as `doorward user list` shows them, or one of \
                 them alone, as in `username:NAME`",
            )),
        }
    }
}

fn joined(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

fn identifiers(account: &Account) -> String {
    let both = [&account.profile.email, &account.profile.username];
    let mut text = String::new();
    for identifier in both.into_iter().flatten() {
        let separator = if text.is_empty() { "" } else { ", " };
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{separator}{}", printable(identifier));
    }
    text
}

/// The limits that hold for every account, however it is made.
fn check(profile: &Profile) -> Result<(), SetupError> {
    if profile.email.as_ref().is_some_and(|email| !is_email(email)) {
        return Err(SetupError::new(
            "this is no e-mail address",
            "write it like `ann@example.com`",
        ));
    }
    for (what, value, most) in [
        ("username", &profile.username, MAX_IDENTIFIER),
        ("first name", &profile.first_name, MAX_NAME),
        ("last name", &profile.last_name, MAX_NAME),
    ] {
        let fits = |text: &String| !text.is_empty() && text.chars().count() <= most && !text.contains(char::is_control);
        if value.as_ref().is_some_and(|text| !fits(text)) {
            return Err(SetupError::new(
                format!("a {what} has 1 to {most} characters, and no control characters"),
                format!("choose another {what}"),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_keep_to_the_limits_of_all_accounts() {
        let profile = |email: Option<&str>, username: Option<&str>| Profile {
            email: email.map(str::to_owned),
            username: username.map(str::to_owned),
            ..Profile::default()
        };
        assert!(check(&profile(Some("a@b.co"), Some("ann"))).is_ok());
        for bad in [
            profile(Some("ann"), None),
            profile(None, Some("")),
            profile(None, Some("a\u{1b}b")),
        ] {
            assert!(check(&bad).is_err(), "{bad:?}");
        }
        assert!(check(&profile(None, Some(&"x".repeat(MAX_IDENTIFIER + 1)))).is_err());
    }
}
