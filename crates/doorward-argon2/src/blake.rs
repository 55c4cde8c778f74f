//! The two uses that Argon2 makes of `BLAKE2b`: the first hash of all inputs (`H0`) and the hash of any length (`H'`).
//!
//! The surprise: `H'` of up to 64 bytes is `BLAKE2b` of that length, not a cut of the longest one.

use blake2::digest::block_api::{UpdateCore, VariableOutputCore};
use blake2::digest::block_buffer::LazyBuffer;
use blake2::{Blake2b512, Blake2bVarCore, Digest};
use zeroize::Zeroizing;

use crate::Error;
use crate::params::{Job, Params};

/// Bytes of the longest `BLAKE2b`.
const FULL: usize = 64;

/// `H0` (RFC 9106 section 3.2, step 1).
pub(crate) fn initial_hash(params: Params, job: &Job<'_>) -> Result<Zeroizing<[u8; FULL]>, Error> {
    let mut digest = Blake2b512::new();
    for number in [
        params.p(),
        length(job.out)?,
        params.m_kib(),
        params.t(),
        params.version().into(),
        params.algorithm() as u32,
    ] {
        digest.update(number.to_le_bytes());
    }
    for bytes in [job.password, job.salt, job.secret, job.ad] {
        digest.update(length(bytes)?.to_le_bytes());
        digest.update(bytes);
    }
    Ok(Zeroizing::new(digest.finalize().into()))
}

/// `H'` of all `inputs` one after the other (RFC 9106 section 3.3).
///
/// # Errors
/// When `out` is empty or longer than a length can say.
pub(crate) fn long_hash(inputs: &[&[u8]], out: &mut [u8]) -> Result<(), Error> {
    let length = length(out)?.to_le_bytes();
    if out.len() <= FULL {
        return short_hash(&length, inputs, out);
    }
    let mut digest = Blake2b512::new();
    digest.update(length);
    for input in inputs {
        digest.update(input);
    }
    let mut last: Zeroizing<[u8; FULL]> = Zeroizing::new(digest.finalize().into());
    let mut rest = out;
    // Half of each link of the chain goes out, but the last one goes out whole.
    loop {
        let half = last.first_chunk::<{ FULL / 2 }>().ok_or(Error::Internal)?;
        let (chunk, after) = rest.split_first_chunk_mut().ok_or(Error::Internal)?;
        *chunk = *half;
        rest = after;
        if rest.len() <= FULL {
            return short_hash(&*last, &[], rest);
        }
        *last = Blake2b512::digest(*last).into();
    }
}

/// `BLAKE2b` with an output of this length, 1 to 64 bytes.
fn short_hash(first: &[u8], inputs: &[&[u8]], out: &mut [u8]) -> Result<(), Error> {
    let mut core = Blake2bVarCore::new(out.len()).map_err(|_| Error::Output)?;
    let mut buffer = LazyBuffer::default();
    for input in [first].iter().chain(inputs) {
        buffer.digest_blocks(input, |blocks| core.update_blocks(blocks));
    }
    let mut full = Zeroizing::new([0; FULL]);
    core.finalize_variable_core(&mut buffer, (&mut *full).into());
    out.copy_from_slice(full.get(..out.len()).ok_or(Error::Internal)?);
    Ok(())
}

fn length(bytes: &[u8]) -> Result<u32, Error> {
    u32::try_from(bytes.len()).map_err(|_| Error::Output)
}
