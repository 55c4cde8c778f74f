//! A panic of what runs within a request, as an error.
//!
//! The surprise: what changes something needs none of this. It runs in a task of its own, and the runtime catches
//! there; what ends with its caller has nobody else to do so, and the connection would be cut without an answer, a line
//! in the log or a count.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use doorward_core::{Error, Result};

/// Runs to its end, be it a panic. It is not asked again after one, and what it shares with others is behind locks that
/// are let go of then, so nobody sees what it left half done.
pub(super) async fn caught<T>(run: impl Future<Output = Result<T>>) -> Result<T> {
    let mut run = pin!(run);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(context)));
        polled.unwrap_or_else(|panic| Poll::Ready(Err(Error::internal(format!("a panic: {}", words(&*panic))))))
    })
    .await
}

/// What a panic says of itself.
fn words(panic: &(dyn Any + Send)) -> &str {
    let formatted = panic.downcast_ref::<String>().map(String::as_str);
    formatted
        .or(panic.downcast_ref::<&str>().copied())
        .unwrap_or("without words")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What never is, decided at run time.
    fn broken(number: usize) -> usize {
        assert!(number < 3, "number {number}");
        number
    }

    #[tokio::test]
    async fn a_panic_is_an_error_with_its_words() {
        let said = caught(async { Ok(broken(7)) }).await.unwrap_err();
        assert!(matches!(said, Error::Internal(_)), "{said}");
        assert!(said.to_string().contains("number 7"), "{said}");
        let later = caught(async {
            tokio::task::yield_now().await;
            Ok(broken(8))
        });
        assert!(later.await.unwrap_err().to_string().contains("number 8"));
        assert_eq!(caught(async { Ok(broken(2)) }).await.unwrap(), 2);
    }
}
