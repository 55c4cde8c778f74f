//! Hashes without a server, to compare logins with.
//!
//! The surprise: the machine may change within seconds, by what other guests of its host do to the memory. So hashes
//! alone are made right before the logins and right after them, both ways that the pool of the server has.

use doorward_argon2::{Kernel, Params, kernel};

use crate::command::hash::{Hashing, Way};
use crate::error::Result;
use crate::machine;
use crate::statistics::highest;

/// The kernel of this machine on as many threads as the server's pool has.
pub(super) struct Alone(Vec<Hashing>);

impl Alone {
    pub(super) fn new(params: Params) -> Result<Self> {
        let ways = match kernel() {
            Kernel::Portable => vec![Way::Single(Kernel::Portable)],
            kernel => vec![Way::Single(kernel), Way::Pair(kernel)],
        };
        let ready = |way| Hashing::new(way, params, machine::cores());
        Ok(Self(ways.into_iter().map(ready).collect::<Result<_>>()?))
    }

    /// Hashes a second each way, when each thread makes `count`.
    pub(super) fn rates(&mut self, count: u32) -> Result<Vec<f64>> {
        let rate = |way: &mut Hashing| way.rate(machine::cores(), count);
        self.0.iter_mut().map(rate).collect()
    }
}

/// The faster of the ways, over two times at which all were measured.
pub(super) fn faster(before: &[f64], after: &[f64]) -> f64 {
    let means: Vec<f64> = before.iter().zip(after).map(|(a, b)| f64::midpoint(*a, *b)).collect();
    highest(&means)
}
