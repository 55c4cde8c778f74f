//! The loader against a server that answers as it is told.
//!
//! The surprise: the server is a few lines of the standard library, so that what is tested is the loader alone.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::open::Pace;
use super::*;

/// Answers each request on each connection after a wait, with the number of the request as its body.
fn serve(wait: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::Builder::new()
        .spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                thread::Builder::new()
                    .spawn(move || {
                        let mut buffer = [0; 1024];
                        for number in 0.. {
                            if stream.read(&mut buffer).unwrap_or(0) == 0 {
                                return;
                            }
                            clock::wait(wait);
                            let body = format!("{{\"n\":\"{number}\"}}");
                            let length = body.len();
                            let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
                            if stream.write_all(text.as_bytes()).is_err() {
                                return;
                            }
                        }
                    })
                    .unwrap();
            }
        })
        .unwrap();
    address
}

#[test]
fn a_client_sees_each_answer_before_it_asks_again() {
    let address = serve(Duration::ZERO);
    let (seen, mut count) = (Arc::new(parking_lot::Mutex::new(Vec::new())), 0);
    let log = Arc::clone(&seen);
    let script: Script = Box::new(move |answer, next| {
        log.lock()
            .extend(answer.and_then(|answer| answer.text("n").map(str::to_owned)));
        next.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
        count += 1;
        count <= 3
    });
    let tally = Crowd::new([(address, script)])
        .unwrap()
        .run(Duration::from_secs(60))
        .unwrap();
    assert_eq!(*seen.lock(), ["0", "1", "2"]);
    assert_eq!((tally.in_time, tally.refused()), (3, 0));
    assert_eq!(tally.statuses.get(&200), Some(&3));
}

#[test]
fn a_crowd_goes_on_where_it_stopped() {
    let address = serve(Duration::ZERO);
    let requests = vec![b"GET / HTTP/1.1\r\n\r\n".to_vec(); 5];
    let clients = (0..3).map(|_| (address, each(requests.clone())));
    let mut crowd = Crowd::new(clients).unwrap();
    assert_eq!(crowd.run(Duration::ZERO).unwrap().latencies.count(), 0);
    assert_eq!(crowd.run(Duration::from_secs(60)).unwrap().in_time, 15);
}

/// One connection and answers that take ten times the pace: each request waits for those before it, and that counts.
#[test]
fn waiting_for_a_connection_counts_in_an_open_loop() {
    let requests = [b"GET / HTTP/1.1\r\n\r\n".to_vec()];
    let pace = Pace {
        target: serve(Duration::from_millis(10)),
        requests: &requests,
        rate: 1000,
        connections: 1,
        goes_first: false,
    };
    let tally = pace.run(Duration::from_millis(20)).unwrap();
    assert_eq!(tally.latencies.count(), 20);
    // The last is due after 19 ms and leaves when 19 others took 10 ms each, at least.
    assert!(tally.latencies.max_ms() > 180.0, "{}", tally.latencies.max_ms());
}
