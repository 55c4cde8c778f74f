//! Tests of the pool. Costs are as low as they go: the algorithm is the same.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::AtomicU64;
use std::task::Poll;
use std::time::Duration;

use super::phc::Argon2Hash;
use super::worker::Checked;
use super::*;
use crate::Timestamp;
use crate::account::AccountId;
use crate::throttle::{Subject, Throttle, ThrottleConfig};

mod attempts;

const TINY: Scheme = Scheme::Argon2id { m_kib: 8, t: 1, p: 1 };
const BCRYPT: Scheme = Scheme::Bcrypt { cost: 4 };

const CALLER: Caller = Caller {
    whose: Whose { network: None, name: 0 },
    presence: Presence::ALWAYS,
};

fn pool(scheme: Scheme) -> Hasher {
    let config = HasherConfig {
        scheme,
        threads: 1,
        ..HasherConfig::default()
    };
    Hasher::start(config, Clock::system()).unwrap()
}

/// A worker, and where it leaves its answers.
fn worker(tally: &Arc<Tally>) -> (Worker, Arc<Answers>) {
    let answers = Arc::new(Answers::default());
    let kernel = doorward_argon2::kernel();
    let worker = Worker::new(TINY, kernel, Arc::clone(tally), Arc::clone(&answers), Clock::system());
    (worker, answers)
}

fn refused(hasher: &Hasher) -> u64 {
    hasher.metrics().refused.iter().map(|(_, count)| count).sum()
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn unthrottled() -> Permit {
    let config = ThrottleConfig {
        enabled: false,
        ..ThrottleConfig::default()
    };
    let throttle = Throttle::new(config, Clock::manual(Timestamp(0)));
    throttle
        .permit(Subject::Account(AccountId(uuid::Uuid::nil())), None)
        .unwrap()
}

#[tokio::test]
async fn a_new_hash_verifies_and_is_salted() {
    for scheme in [TINY, BCRYPT, Scheme::Argon2id { m_kib: 64, t: 2, p: 3 }] {
        let hasher = pool(scheme);
        let (first, second) = (
            hasher.hash(&CALLER, &secret("pässword")).await.unwrap(),
            hasher.hash(&CALLER, &secret("pässword")).await,
        );
        assert_ne!(first.expose(), second.unwrap().expose());
        let right = hasher
            .verify(&CALLER, unthrottled(), &secret("pässword"), Some(&first))
            .await
            .unwrap();
        assert!(right.matches && !right.outdated);
        let wrong = hasher
            .verify(&CALLER, unthrottled(), &secret("passwörd"), Some(&first))
            .await
            .unwrap();
        assert!(!wrong.matches && !wrong.outdated);
        assert_eq!(hasher.metrics().done, 4);
    }
}

#[test]
fn only_bcrypt_refuses_passwords() {
    let refused = |scheme, password: &str| pool(scheme).refuses(&secret(password));
    let too_long = PasswordLimit::TooLong { bytes: 72 };
    for (password, limit) in [
        ("", PasswordLimit::Empty),
        ("a\0", PasswordLimit::Nul),
        (&"x".repeat(73), too_long),
        (&"é".repeat(37), too_long),
    ] {
        assert_eq!(refused(TINY, password), None);
        assert_eq!(refused(BCRYPT, password), Some(limit), "{password:?}");
    }
    assert_eq!(refused(BCRYPT, &"é".repeat(36)), None);
    assert_eq!(refused(BCRYPT, &"x".repeat(72)), None);
}

#[tokio::test]
async fn nobody_and_an_unreadable_hash_take_the_decoy() {
    for scheme in [TINY, BCRYPT] {
        let hasher = pool(scheme);
        let garbage = PasswordHash::new("garbage".to_owned());
        for against in [None, Some(&garbage)] {
            for password in ["password", "", "\0", &"x".repeat(100)] {
                let verdict = hasher
                    .verify(&CALLER, unthrottled(), &secret(password), against)
                    .await
                    .unwrap();
                assert!(!verdict.matches && !verdict.outdated);
            }
        }
        assert_eq!(hasher.metrics().done, 8);
    }
}

/// Puts the future's job into the queue. `None` when it waits for an answer.
async fn first_poll<F: Future>(future: &mut Pin<Box<F>>) -> Option<F::Output> {
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

#[test]
fn a_job_whose_caller_has_gone_is_skipped() {
    let tally = Arc::default();
    let (mut worker, _) = worker(&tally);
    let (waits, presence) = Presence::of_one_who_waits();
    let mut run = |presence: &Presence, drops: bool| {
        let before = tally.done.load(Ordering::Relaxed);
        let (job, checked) = verify_for(presence, "x", None);
        let kept = (!drops).then_some(checked);
        worker.run(job);
        let told = kept.is_some_and(|mut checked| checked.try_recv().is_ok());
        (tally.done.load(Ordering::Relaxed) - before, told)
    };
    assert_eq!(run(&presence, false).0, 1);
    assert_eq!(run(&presence, true).0, 0);
    drop(waits);
    // Whoever does something for a caller goes on without them, and wants to know that nothing was done.
    assert_eq!(run(&presence, false), (0, true));
}

/// A job that verifies, and where its answer comes.
fn verify(password: &str, against: Option<&PasswordHash>) -> (Job, oneshot::Receiver<Result<Checked>>) {
    verify_for(&Presence::ALWAYS, password, against)
}

fn verify_for(
    presence: &Presence,
    password: &str,
    against: Option<&PasswordHash>,
) -> (Job, oneshot::Receiver<Result<Checked>>) {
    let (answer, checked) = Reply::channel(presence);
    let job = Job::Verify {
        password: secret(password),
        against: against.and_then(|hash| Stored::parse(hash.expose(), &Ceiling::of(TINY))),
        answer,
    };
    (job, checked)
}

/// Whatever two jobs are done together, each is answered as if it were alone.
#[test]
fn two_jobs_at_once_are_answered_each_for_itself() {
    let tally = Arc::default();
    let (mut worker, ready) = worker(&tally);
    let (answers, mut hashed): (Vec<_>, Vec<_>) = (0..2).map(|_| Reply::channel(&Presence::ALWAYS)).unzip();
    let mut hashes = answers.into_iter().map(|answer| Job::Hash {
        password: secret("right"),
        answer,
    });
    worker.run_two(hashes.next().unwrap(), hashes.next().unwrap());
    ready.hand_over();
    let right = hashed[0].try_recv().unwrap().unwrap();
    assert_ne!(right.expose(), hashed[1].try_recv().unwrap().unwrap().expose());
    let other_cost = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    let other_cost = PasswordHash::new(other_cost.to_owned());
    let bcrypt = PasswordHash::new("$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe".to_owned());
    let cases = [
        ("right", Some(&right), true),
        ("wrong", Some(&right), false),
        ("right", None, false),
        ("password", Some(&other_cost), true),
        ("a", Some(&bcrypt), true),
    ];
    let count = tally.done.load(Ordering::Relaxed);
    for (password, against, matches) in cases {
        for (other, other_against, other_matches) in cases {
            let (first, mut checked) = verify(password, against);
            let (second, mut other_checked) = verify(other, other_against);
            worker.run_two(first, second);
            ready.hand_over();
            assert_eq!(checked.try_recv().unwrap().unwrap().matches, matches);
            assert_eq!(other_checked.try_recv().unwrap().unwrap().matches, other_matches);
        }
    }
    assert_eq!((count, tally.done.load(Ordering::Relaxed)), (2, 2 + 50));
    let paired = u64::from(doorward_argon2::kernel() != Kernel::Portable) * 20;
    assert_eq!(tally.paired.load(Ordering::Relaxed), paired, "those of one cost");
}

/// One of two can be impossible: a salt that Argon2 does not take, or memory for both.
#[test]
fn two_jobs_that_cannot_be_done_at_once_are_done_one_after_the_other() {
    let tally = Arc::default();
    let (mut worker, ready) = worker(&tally);
    let impossible = Stored::Argon2(Argon2Hash {
        cost: Argon2Cost::latest(8, 1, 1),
        salt: b"short".to_vec(),
        tag: vec![0; 32],
    });
    let (answer, mut failed) = Reply::channel(&Presence::ALWAYS);
    let first = Job::Verify {
        password: secret("x"),
        against: Some(impossible),
        answer,
    };
    let (second, mut checked) = verify("x", None);
    worker.run_two(first, second);
    ready.hand_over();
    let failed = failed.try_recv().unwrap();
    assert!(matches!(failed, Err(Error::Internal(_))), "{failed:?}");
    assert_eq!(checked.try_recv().unwrap().unwrap(), Checked::WRONG);
    let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
    assert_eq!((count(&tally.done), count(&tally.paired)), (2, 0));
}

#[test]
fn of_two_jobs_the_one_that_is_waited_for_is_done() {
    let tally = Arc::default();
    let (mut worker, ready) = worker(&tally);
    let (gone, _) = verify("x", None);
    let (waiting, mut checked) = verify("x", None);
    worker.run_two(gone, waiting);
    ready.hand_over();
    assert!(!checked.try_recv().unwrap().unwrap().matches);
    assert_eq!(tally.done.load(Ordering::Relaxed), 1);
}

/// Many more jobs than the threads can do at once, so that answers are held back, and a last one that has to be
/// answered although no other comes after it.
#[tokio::test]
async fn a_burst_is_answered_each_for_itself() {
    let config = HasherConfig {
        scheme: TINY,
        threads: 3,
        ..HasherConfig::default()
    };
    let hasher = Hasher::start(config, Clock::system()).unwrap();
    let hash = hasher.hash(&CALLER, &secret("right")).await.unwrap();
    let passwords = ["right", "wrong", "right", "also wrong"].map(secret);
    let passwords: Vec<_> = passwords.iter().cycle().take(101).collect();
    let mut waiting: Vec<_> = passwords
        .iter()
        .map(|password| Box::pin(hasher.verify(&CALLER, unthrottled(), password, Some(&hash))))
        .collect();
    let mut early = Vec::new();
    for verifying in &mut waiting {
        early.push(first_poll(verifying).await);
    }
    for ((password, verifying), early) in passwords.iter().zip(waiting).zip(early) {
        let verdict = match early {
            Some(verdict) => verdict.unwrap(),
            None => verifying.await.unwrap(),
        };
        assert_eq!(verdict.matches, password.expose() == "right");
    }
}

#[test]
fn a_kernel_that_errs_is_not_used() {
    assert_eq!(trusted(Ok(())), doorward_argon2::kernel());
    for kernel in Kernel::ALL.iter().copied() {
        assert_eq!(trusted(Err(kernel)), Kernel::Portable);
    }
}

#[test]
fn dropping_the_pool_does_the_jobs_that_wait() {
    let hasher = pool(TINY);
    let mut answers = Vec::new();
    for _ in 0..4 {
        let (answer, hashed) = Reply::channel(&Presence::ALWAYS);
        let job = Job::Hash {
            password: secret("x"),
            answer,
        };
        hasher.enqueue(&CALLER, job);
        answers.push(hashed);
    }
    drop(hasher);
    for mut hashed in answers {
        assert!(hashed.try_recv().unwrap().is_ok());
    }
}

#[test]
fn costs_out_of_range_are_refused_with_a_hint() {
    let argon2 = |m_kib, t, p| Scheme::Argon2id { m_kib, t, p };
    let config = |scheme, threads, seconds| HasherConfig {
        scheme,
        threads,
        wait: Duration::from_secs(seconds),
    };
    for good in [
        HasherConfig::default(),
        config(argon2(8, 1, 1), 1, 0),
        config(argon2(1_048_576, 64, 16), 1024, 600),
        config(Scheme::Bcrypt { cost: 4 }, 1, 1),
        config(Scheme::Bcrypt { cost: 20 }, 1, 1),
    ] {
        assert!(good.check().is_ok(), "{good:?}");
    }
    for bad in [
        config(argon2(7, 1, 1), 1, 1),
        config(argon2(127, 1, 16), 1, 1),
        config(argon2(1_048_577, 1, 1), 1, 1),
        config(argon2(8, 0, 1), 1, 1),
        config(argon2(8, 65, 1), 1, 1),
        config(argon2(8, 1, 0), 1, 1),
        config(argon2(4096, 1, 17), 1, 1),
        config(argon2(u32::MAX, u32::MAX, u32::MAX), 1, 1),
        config(Scheme::Bcrypt { cost: 3 }, 1, 1),
        config(Scheme::Bcrypt { cost: 21 }, 1, 1),
        config(TINY, 0, 1),
        config(TINY, 1025, 1),
        config(TINY, 1, 601),
    ] {
        let error = Hasher::start(bad, Clock::system()).unwrap_err().to_string();
        assert!(error.contains("hint: choose a number from"), "{error}");
    }
}

#[test]
fn metrics_tell_the_size() {
    let pairs = doorward_argon2::kernel() != Kernel::Portable;
    let at_once = if pairs { 2 } else { 1 };
    for (p, kept) in [(1, 65_536 * at_once), (2, 65_536)] {
        let metrics = pool(Scheme::Argon2id { m_kib: 64, t: 1, p }).metrics();
        assert_eq!((metrics.threads, metrics.memory_per_thread), (1, kept));
        assert_eq!((metrics.queued, metrics.done), (0, 0));
        assert_eq!((metrics.waits.count, metrics.hashes.count), (0, 0));
    }
    assert_eq!(pool(BCRYPT).metrics().memory_per_thread, 0);
}

#[tokio::test]
async fn a_new_password_is_estimated_by_a_hash_thread() {
    let hasher = pool(TINY);
    let policy = Arc::new(PasswordPolicy::default());
    let weakness = |password: &'static str, context: &[&str]| {
        let context = context.iter().map(|word| (*word).to_owned()).collect();
        hasher.weakness(&CALLER, &policy, password, context)
    };
    assert_eq!(weakness("short", &[]).await.unwrap(), Some(Weakness::TooShort));
    assert_eq!(weakness("qwertzuiop12", &[]).await.unwrap(), Some(Weakness::Guessable));
    let own = "ann.lee.of.example.com";
    assert_eq!(weakness(own, &[own]).await.unwrap(), Some(Weakness::Common));
    assert_eq!(weakness("a long enough sentence", &[]).await.unwrap(), None);
    assert_eq!(hasher.metrics().done, 0, "an estimate is no hash");
}
