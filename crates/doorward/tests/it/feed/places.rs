//! As many services as a node has places for, below the limit of open files that systems start programs with.
//!
//! The surprise: the test needs as many files as the server. So it raises its own limit, which is for each program to
//! do, and starts the server with the usual one.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{log_out, register};
use crate::http::{Line, Request};
use crate::server::Setup;
use crate::service::{Events, Service};

/// How many streams a node has places for, as docs/services.md says.
const PLACES: usize = 1_024;

/// How long a place may take to become free. Never reached when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

fn raise_own_limit() {
    let limit = getrlimit(Resource::Nofile);
    let highest = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, highest).unwrap();
}

#[test]
fn every_place_hears_of_a_log_out_and_one_more_is_told_to_come_back() {
    raise_own_limit();
    let server = Setup::new().after("ulimit -Sn 1024").start();
    let shop = Service::add(server.setup());
    let mut streams: Vec<Events> = (0..PLACES).map(|_| shop.follow(server.address, None)).collect();
    for stream in &mut streams {
        assert_eq!(stream.next().map(|event| event.name).as_deref(), Some("hello"));
    }
    let refused = shop.try_to_follow(server.address).err().expect("there is no place");
    let lines: Vec<String> = refused.lines().map(str::to_lowercase).collect();
    assert!(
        lines[0].starts_with("http/1.1 503 ") && lines.contains(&"retry-after: 1".to_owned()),
        "{refused}"
    );
    assert_eq!(shop.page(server.address, "").status, 200, "a page takes no place");

    let ended = log_out(&server, &register(&server, "ann@example.com"));
    for stream in &mut streams {
        assert_eq!(stream.ended(1), [(ended.clone(), 1)]);
    }
    let left = streams.pop();
    drop(left);
    let deadline = Instant::now() + PATIENCE;
    let mut next = loop {
        match shop.try_to_follow(server.address) {
            Ok(stream) => break stream,
            Err(head) => assert!(Instant::now() < deadline, "no place is free: {head}"),
        }
    };
    assert_eq!(next.ended(1), [(ended, 1)]);
    let log = server.log();
    assert!(!log.contains("no connection can be accepted"), "{log}");
}

/// Where the system lets nobody have more files, connections wait, and what the server needs itself is there.
#[test]
fn fewer_connections_are_taken_where_files_are_few() {
    let server = Setup::new().after("ulimit -n 200").start();
    let log = server.log();
    assert!(
        log.contains("max_connections") && log.contains("connections=100 "),
        "{log}"
    );
    // All are connected: to the server or, beyond 100, to the kernel.
    let open = |_| Line::open(server.address, PATIENCE).unwrap();
    let mut crowd: VecDeque<Line> = (0..200).map(open).collect();
    let ask = |line: &mut Line| line.ask(&Request::get("/healthz")).unwrap().status;
    assert!(crowd.iter_mut().take(100).all(|line| ask(line) == 200));
    // Whoever goes makes room for the next one.
    while let Some(gone) = crowd.pop_front() {
        drop(gone);
        assert!(crowd.get_mut(99).is_none_or(|line| ask(line) == 200));
    }
    let log = server.log();
    assert!(!log.contains("no connection can be accepted"), "{log}");
}
