//! What becomes of the attempt that a password is: only one that was tested counts, and one of which nobody knows.

use super::*;

fn throttle_of_one_attempt() -> Throttle {
    let config = ThrottleConfig {
        free_attempts: 1,
        ..ThrottleConfig::default()
    };
    Throttle::new(config, Clock::manual(Timestamp(0)))
}

/// Somebody who has one attempt.
struct OneAttempt(Throttle);

impl OneAttempt {
    /// The attempt is being made, with this permit.
    fn begun() -> (Self, Permit) {
        let attempts = Self(throttle_of_one_attempt());
        let permit = attempts.again().unwrap();
        assert!(!attempts.is_given_back());
        (attempts, permit)
    }

    fn again(&self) -> Result<Permit> {
        self.0.permit(Subject::Account(AccountId(uuid::Uuid::nil())), None)
    }

    fn is_given_back(&self) -> bool {
        self.again().is_ok()
    }
}

/// A pool without threads: the test takes the jobs.
fn pool_without_threads(scheme: Scheme) -> Hasher {
    Hasher {
        scheme,
        kernel: Kernel::Portable,
        ceiling: Ceiling::of(scheme),
        queue: Arc::new(Queue::new(1, Duration::from_secs(5), Clock::system())),
        tally: Arc::default(),
        names: RandomState::new(),
        places: 1,
        threads: Vec::new(),
    }
}

/// How verifying ends when this becomes of its job, and whether the attempt is given back.
async fn verified(hasher: &Hasher, becomes: impl FnOnce(Job)) -> (Result<Verdict>, bool) {
    let (attempts, permit) = OneAttempt::begun();
    let password = secret("password");
    let mut verifying = Box::pin(hasher.verify(&CALLER, permit, &password, None));
    assert!(first_poll(&mut verifying).await.is_none());
    becomes(hasher.queue.take(Duration::ZERO, || ()).unwrap().job.to_do);
    let verdict = verifying.await;
    (verdict, attempts.is_given_back())
}

/// The jobs take so long that the loop fills the queue many times over before the first is done; still each
/// answer is judged for itself, whenever it comes.
#[tokio::test]
async fn a_full_queue_refuses_at_once_and_gives_the_attempt_back() {
    let slow = Scheme::Argon2id {
        m_kib: 8192,
        t: 4,
        p: 1,
    };
    let config = HasherConfig {
        scheme: slow,
        threads: 1,
        wait: Duration::ZERO,
    };
    let hasher = Hasher::start(config, Clock::system()).unwrap();
    let throttle = throttle_of_one_attempt();
    let mut waiting = Vec::new();
    let mut busy = 0;
    for number in 0..64 {
        let subject = Subject::Account(AccountId(uuid::Uuid::from_u128(number)));
        let permit = throttle.permit(subject.clone(), None).unwrap();
        let password = secret("password");
        let mut verifying = Box::pin(async { hasher.verify(&CALLER, permit, &password, None).await });
        match first_poll(&mut verifying).await {
            Some(Err(Error::Busy { retry_after })) => {
                assert!(!retry_after.is_zero());
                assert!(throttle.permit(subject, None).is_ok(), "the attempt was given back");
                busy += 1;
            }
            Some(other) => assert!(!other.unwrap().matches),
            None => {
                assert!(throttle.permit(subject, None).is_err(), "the attempt is in flight");
                waiting.push(number);
            }
        }
    }
    assert!(busy > 0 && !waiting.is_empty());
    assert_eq!(refused(&hasher), busy);
}

/// A hash that panics takes its job along.
#[tokio::test]
async fn a_job_that_is_lost_gives_the_attempt_back() {
    let (lost, given_back) = verified(&pool_without_threads(TINY), drop).await;
    assert!(matches!(lost, Err(Error::Internal(_))), "{lost:?}");
    assert!(given_back);
}

#[tokio::test]
async fn a_hash_that_cannot_be_made_gives_the_attempt_back() {
    // Less memory than Argon2 knows; whoever configures it is refused before.
    let impossible = Scheme::Argon2id { m_kib: 7, t: 1, p: 1 };
    let hasher = pool_without_threads(impossible);
    let (tally, kernel) = (Arc::clone(&hasher.tally), hasher.kernel);
    let mut worker = Worker::new(impossible, kernel, tally, Arc::default(), Clock::system());
    let (failed, given_back) = verified(&hasher, |job| {
        worker.run(job);
        drop(worker);
    })
    .await;
    assert!(matches!(failed, Err(Error::Internal(_))), "{failed:?}");
    assert!(given_back);
    assert_eq!(hasher.metrics().done, 1, "it was tried");
}

#[tokio::test]
async fn whoever_hangs_up_before_their_turn_gets_the_attempt_back() {
    let hasher = pool(TINY);
    let (waits, presence) = Presence::of_one_who_waits();
    drop(waits);
    let (attempts, permit) = OneAttempt::begun();
    let caller = hasher.caller(None, "ann", &presence);
    let refused = hasher.verify(&caller, permit, &secret("password"), None).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    assert!(attempts.is_given_back());
    assert_eq!(hasher.metrics().done, 0);
}

#[tokio::test]
async fn a_caller_who_does_not_hear_the_answer_has_used_the_attempt() {
    let hasher = pool(TINY);
    let (attempts, permit) = OneAttempt::begun();
    {
        let password = secret("guess");
        // Whether it waits or is answered already: nobody settles the permit.
        let mut verifying = Box::pin(hasher.verify(&CALLER, permit, &password, None));
        let _ = first_poll(&mut verifying).await;
    }
    assert!(!attempts.is_given_back());
}
