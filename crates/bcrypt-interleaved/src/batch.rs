use core::fmt;

use zeroize::Zeroizing;

use crate::hash::check_cost;
use crate::kernel::bcrypt;
use crate::{Digest, Error, Hash, MAX_LANES, MAX_PASSWORD_LEN, Salt};

/// A password to compare with a hash. `Debug` does not show the password.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The password as typed, at most [`MAX_PASSWORD_LEN`] bytes, without a terminator. A NUL in it counts like any other byte.
    pub password: &'a [u8],
    /// Hash that the password is compared with.
    pub hash: Hash,
}

impl fmt::Debug for Job<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("hash", &self.hash).finish_non_exhaustive()
    }
}

/// Hashes N passwords, each with its own salt, at one cost. N is 1 to [`MAX_LANES`]; another N does not compile.
/// Passwords are as in [`Job::password`].
///
/// [`Hash::new`] and `to_string` make a text of each digest.
///
/// # Errors
///
/// [`Error::Cost`] and [`Error::PasswordTooLong`]; nothing was computed.
pub fn hash_many<const N: usize>(cost: u32, inputs: [(&[u8], Salt); N]) -> Result<[Digest; N], Error> {
    const { assert!(N >= 1 && N <= MAX_LANES, "1 to MAX_LANES passwords") }
    let mut out = [[0; 23]; N];
    hash_batch(cost, &inputs, &mut out)?;
    Ok(out)
}

/// Hashes 1 to [`MAX_LANES`] passwords, each with its own salt, at one cost, into a slice of the same length.
///
/// Registrations and logins of one cost can share a batch: hash a login's password with the stored hash's salt and
/// compare with [`Hash::matches`].
///
/// # Errors
///
/// Any but [`Error::MixedCosts`]. Then nothing was computed and `out` is unchanged.
pub fn hash_batch(cost: u32, inputs: &[(&[u8], Salt)], out: &mut [Digest]) -> Result<(), Error> {
    hash_batch_pausing(cost, inputs, out, &mut || {})
}

/// Does the same as [`hash_batch`] and calls `pause` after each of the 2^cost iterations. The calls are some 50 to 80
/// µs apart on the machine of the README, whatever the cost.
///
/// A thread that computes for a third of a second keeps other threads from its core for as long as the scheduler lets
/// it. A caller that must avoid this yields in `pause`, and decides how often. `pause` learns nothing about the
/// passwords.
///
/// # Errors
///
/// Those of [`hash_batch`].
pub fn hash_batch_pausing(
    cost: u32,
    inputs: &[(&[u8], Salt)],
    out: &mut [Digest],
    pause: &mut dyn FnMut(),
) -> Result<(), Error> {
    check_batch(inputs.len(), out.len())?;
    check_cost(cost)?;
    check_lengths(inputs.iter().map(|input| input.0))?;
    match *inputs {
        [a] => fill(cost, &[a], out, pause),
        [a, b] => fill(cost, &[a, b], out, pause),
        [a, b, c] => fill(cost, &[a, b, c], out, pause),
        [a, b, c, d] => fill(cost, &[a, b, c, d], out, pause),
        _ => return Err(Error::BatchSize(inputs.len())),
    }
    Ok(())
}

fn fill<const N: usize>(cost: u32, inputs: &[(&[u8], Salt); N], out: &mut [Digest], pause: &mut dyn FnMut()) {
    out.copy_from_slice(&*Zeroizing::new(bcrypt(cost, inputs, pause)));
}

/// Returns for each of N passwords whether it has the hash beside it. The hashes have one cost. N is 1 to
/// [`MAX_LANES`]; another N does not compile.
///
/// # Errors
///
/// [`Error::MixedCosts`] and [`Error::PasswordTooLong`]. Then nothing was computed.
pub fn verify_many<const N: usize>(jobs: [Job<'_>; N]) -> Result<[bool; N], Error> {
    const { assert!(N >= 1 && N <= MAX_LANES, "1 to MAX_LANES passwords") }
    let mut out = [false; N];
    verify_batch(&jobs, &mut out)?;
    Ok(out)
}

/// Writes for each of 1 to [`MAX_LANES`] passwords whether it has the hash beside it, into a slice of the same length.
/// The hashes have one cost.
///
/// # Errors
///
/// Any but [`Error::Cost`]. Then nothing was computed and all of `out` is `false`.
pub fn verify_batch(jobs: &[Job<'_>], out: &mut [bool]) -> Result<(), Error> {
    out.fill(false);
    check_batch(jobs.len(), out.len())?;
    let cost = jobs[0].hash.cost();
    if let Some(other) = jobs.iter().map(|job| job.hash.cost()).find(|&other| other != cost) {
        return Err(Error::MixedCosts(cost, other));
    }

    let mut inputs: [(&[u8], Salt); MAX_LANES] = [(&[], [0; 16]); MAX_LANES];
    for (input, job) in inputs.iter_mut().zip(jobs) {
        *input = (job.password, job.hash.salt());
    }
    let mut digests = Zeroizing::new([[0; 23]; MAX_LANES]);
    hash_batch(cost, &inputs[..jobs.len()], &mut digests[..jobs.len()])?;
    for ((matches, job), digest) in out.iter_mut().zip(jobs).zip(digests.iter()) {
        *matches = job.hash.matches(digest);
    }
    Ok(())
}

fn check_batch(jobs: usize, room: usize) -> Result<(), Error> {
    if !(1..=MAX_LANES).contains(&jobs) {
        return Err(Error::BatchSize(jobs));
    }
    if room != jobs {
        return Err(Error::OutputSize { jobs, room });
    }
    Ok(())
}

fn check_lengths<'a>(passwords: impl Iterator<Item = &'a [u8]>) -> Result<(), Error> {
    for (index, password) in passwords.enumerate() {
        if password.len() > MAX_PASSWORD_LEN {
            return Err(Error::PasswordTooLong { index, len: password.len() });
        }
    }
    Ok(())
}
