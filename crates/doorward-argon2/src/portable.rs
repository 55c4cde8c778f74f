//! Everything that the kernels cannot do, by the `argon2` crate in memory that is kept.
//!
//! The surprise: the crate takes the length of the output as a parameter, too; it has to agree.

use argon2::{Argon2, AssociatedData, ParamsBuilder};

use crate::Error;
use crate::memory::{Memory, wipe_portable};
use crate::params::{Job, Params};

/// Hashes one password, whose lengths are in range.
pub(crate) fn hash(memory: &mut Memory, params: Params, job: &mut Job<'_>) -> Result<(), Error> {
    let mut builder = ParamsBuilder::new();
    builder
        .m_cost(params.m_kib())
        .t_cost(params.t())
        .p_cost(params.p())
        .output_len(job.out.len());
    if !job.ad.is_empty() {
        builder.data(AssociatedData::new(job.ad).map_err(|_| Error::AssociatedData)?);
    }
    let costs = builder.build().map_err(|_| Error::Internal)?;
    let argon2 =
        Argon2::new_with_secret(job.secret, params.algorithm(), params.version(), costs).map_err(|_| Error::Secret)?;
    let blocks = memory.portable(params.blocks())?;
    let hashed = argon2.hash_password_into_with_memory(job.password, job.salt, job.out, &mut *blocks);
    let lane = params.blocks() / params.p() as usize;
    for lane in blocks.chunks_exact_mut(lane) {
        wipe_portable(lane, params.t());
    }
    hashed.map_err(|_| Error::Internal)
}
