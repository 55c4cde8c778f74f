//! The commands of `docs/operating.md`, run as they stand there.
//!
//! The surprise: the backup is made while people register. Whoever was answered before it began is in it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::json;

use crate::feed::{log_out, register};
use crate::http::Request;
use crate::postgres::Database;
use crate::server::{Folder, Server, wait_until};
use crate::theft::{check, until_refused};
use crate::transcript::ROOT;

/// How many have been answered when the backup begins, and how many more come before the server is stopped.
const ENOUGH: usize = 20;

/// The commands of a section, a text for each block of them.
fn commands(section: &str) -> Vec<String> {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/operating.md")).unwrap();
    let section = page.split("\n## ").find(|part| part.starts_with(section)).unwrap();
    let blocks = section.split("```sh\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

/// Runs a block of commands in a folder; it has to succeed.
fn run(commands: &str, folder: &Path, variables: &[(&str, &str)]) {
    let ran = Command::new("sh")
        .args(["-euc", commands])
        .current_dir(folder)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert!(
        ran.status.success(),
        "{commands}: {}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

fn email(number: usize) -> String {
    format!("ann-{number}@example.com")
}

fn login(server: &Server, number: usize) -> u16 {
    let body = json!({"email": email(number), "password": "ann-pass-1"});
    Request::post("/auth/auth/login", &body).send(server.address).status
}

/// Ends the registering when it is dropped: also when the backup fails, or people would register for ever.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Makes a backup while people register, and answers how many had been answered when it began.
fn back_up(server: &Server, commands: &str, variables: &[(&str, &str)]) -> usize {
    let (answered, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let end = Over(&over);
        let people = scope.spawn(|| {
            for number in 0.. {
                let body = json!({"email": email(number), "password": "ann-pass-1"});
                let answer = Request::post("/auth/auth/register", &body).send(server.address);
                assert_eq!(answer.status, 201, "{answer}");
                answered.fetch_add(1, Ordering::SeqCst);
                if over.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        let wait_for = |count: usize| {
            wait_until(&format!("{count} people are registered"), || {
                assert!(!people.is_finished(), "registering has failed");
                answered.load(Ordering::SeqCst) >= count
            });
        };
        wait_for(ENOUGH);
        let before = answered.load(Ordering::SeqCst);
        run(commands, server.setup().folder().path(), variables);
        wait_for(before + ENOUGH);
        drop(end);
        before
    })
}

/// People register from one address, as many as there is time for.
fn many_register(setup: crate::server::Setup) -> crate::server::Setup {
    setup.setting("throttle_registrations", "1000000")
}

#[test]
fn a_backup_of_sqlite_is_made_while_people_register_and_restored() {
    let server = many_register(crate::server::Setup::new()).start();
    let [backup, restore] = commands("A backup of SQLite").try_into().unwrap();
    // As on the night before.
    run(&backup, server.setup().folder().path(), &[]);
    let before = back_up(&server, &backup, &[]);
    let setup = server.killed();
    let folder = setup.folder().path().to_owned();
    run(&restore, &folder, &[]);
    let server = setup.start();
    for number in [0, before - 1] {
        assert_eq!(login(&server, number), 200, "{number} of {before}");
    }
    assert_eq!(login(&server, 1_000_000), 404);
    for file in ["backup.db", "doorward.db"] {
        let mode = fs::metadata(folder.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file} {mode:o}");
    }
}

/// As pasted into a shell, which goes on after a command that failed.
#[test]
fn a_backup_in_the_wrong_folder_fails_and_leaves_the_one_before() {
    let folder = Folder::new();
    fs::write(folder.join("backup.db"), "the backup of last night").unwrap();
    let [backup, _] = commands("A backup of SQLite").try_into().unwrap();
    let ran = Command::new("sh")
        .args(["-uc", &backup])
        .current_dir(folder.path())
        .output();
    let ran = ran.unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(!ran.status.success() && !said.is_empty(), "{said}");
    let names = fs::read_dir(folder.path()).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["backup.db"]);
    let kept = fs::read(folder.join("backup.db")).unwrap();
    assert_eq!(kept, b"the backup of last night");
}

#[test]
fn a_restore_without_a_backup_leaves_the_database() {
    let folder = Folder::new();
    fs::write(folder.join("doorward.db"), "everybody").unwrap();
    let [_, restore] = commands("A backup of SQLite").try_into().unwrap();
    let ran = Command::new("sh")
        .args(["-c", &restore])
        .current_dir(folder.path())
        .output();
    assert!(!ran.unwrap().status.success());
    assert_eq!(fs::read(folder.join("doorward.db")).unwrap(), b"everybody");
}

#[test]
fn a_backup_of_postgresql_is_made_while_people_register_and_restored() {
    let (database, empty) = (Database::new(), Database::new());
    let server = many_register(database.setup()).start();
    let [backup, restore] = commands("A backup of PostgreSQL").try_into().unwrap();
    let variables = [("DATABASE", &*database.url()), ("EMPTY", &*empty.url())];
    let before = back_up(&server, &backup, &variables);
    let folder = server.setup().folder().path().to_owned();
    run(&restore, &folder, &variables);
    let server = empty.setup().start();
    for number in [0, before - 1] {
        assert_eq!(login(&server, number), 200, "{number} of {before}");
    }
    assert_eq!(login(&server, 1_000_000), 404);
}

/// What is pasted before the variables are set may not dump whatever the default server has, and a dump that fails
/// leaves the one before.
#[test]
fn a_backup_of_postgresql_that_cannot_be_made_leaves_the_one_before() {
    let folder = Folder::new();
    fs::write(folder.join("backup.dump"), "the backup of last night").unwrap();
    let blocks = commands("A backup of PostgreSQL");
    for program in ["pg_dump", "pg_restore"] {
        let (path, text) = (folder.join(program), format!("#!/bin/sh\ntouch {program}-was-run\n"));
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = std::env::var("PATH").unwrap();
    let stubs = format!("{}:{path}", folder.path().display());
    let nobody = "postgres://ann@127.0.0.1:1/door";
    for (path, database) in [(stubs, None), (path, Some(nobody))] {
        for block in &blocks {
            let mut command = Command::new("sh");
            command
                .args(["-c", block])
                .current_dir(folder.path())
                .env("PATH", &path);
            for name in ["DATABASE", "EMPTY"] {
                command.env_remove(name).envs(database.map(|url| (name, url)));
            }
            let ran = command.output().unwrap();
            assert!(!ran.status.success(), "{block}");
            assert!(!folder.join("pg_dump-was-run").exists(), "{block}");
            assert!(!folder.join("pg_restore-was-run").exists(), "{block}");
            let kept = fs::read(folder.join("backup.dump")).unwrap();
            assert_eq!(kept, b"the backup of last night", "{block}");
        }
    }
}

/// The commands of a section as a person types them, in the folder of the database.
fn operate(server: &Server, section: &str) {
    let binary = Path::new(env!("CARGO_BIN_EXE_doorward")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let [block] = commands(section).try_into().unwrap();
    run(&block, server.setup().folder().path(), &[("PATH", &path)]);
}

/// What a restored database accepts is told truly, and what ends it.
#[test]
fn a_restored_database_takes_log_outs_back_until_everybody_is_logged_out() {
    let server = crate::server::Setup::new().start();
    let [backup, restore] = commands("A backup of SQLite").try_into().unwrap();
    let [before, forgotten] = ["ann@example.com", "bob@example.com"].map(|email| register(&server, email));
    let folder = server.setup().folder().path().to_owned();
    run(&backup, &folder, &[]);
    log_out(&server, &before);
    log_out(&server, &forgotten);
    let body = json!({"email": "ann@example.com", "password": "ann-pass-phrase-1"});
    let open = |server: &Server| {
        let opened = Request::post("/v1/sessions", &body).send(server.address);
        opened.member("access_token")
    };
    let after = open(&server);
    log_out(&server, &after);
    let setup = server.killed();
    run(&restore, &folder, &[]);
    let server = setup.start();
    for token in [&before, &forgotten, &after] {
        assert_eq!(check(&server, token), 200, "nobody knows that it has ended");
    }
    operate(&server, "What a restored database has forgotten");
    let done = Instant::now();
    for token in [&before, &forgotten] {
        until_refused(&server, token, done);
    }
    assert_eq!(check(&server, &after), 200, "of a session that is in no database");

    let renewed = open(&server);
    operate(&server, "When a key or a backup was stolen");
    let done = Instant::now();
    for token in [&after, &renewed] {
        until_refused(&server, token, done);
    }
    assert_eq!(check(&server, &open(&server)), 200);
}

/// A name is that of others' programs as well.
#[test]
fn no_document_ends_processes_by_their_name() {
    let docs = fs::read_dir(Path::new(ROOT).join("docs")).unwrap();
    let mut found = Vec::new();
    for path in docs.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text
            .lines()
            .filter(|line| line.contains("pkill") || line.contains("killall"));
        found.extend(lines.map(|line| format!("{}: {line}", path.display())));
    }
    assert!(found.is_empty(), "{found:#?}");
}
