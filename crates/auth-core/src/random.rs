//! Randomness of the operating system.

use std::time::Duration;

/// Error of the operating system when it has no randomness to give.
#[derive(Debug, thiserror::Error)]
#[error("the operating system has no randomness to give")]
pub struct NoRandomness(#[source] getrandom::Error);

/// Returns `N` random bytes from the operating system.
///
/// # Errors
///
/// When the operating system has no randomness to give.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(NoRandomness)?;
    Ok(bytes)
}

/// Returns the time, up to a fifth shorter or longer.
pub(crate) fn jittered(time: Duration) -> Duration {
    // Without randomness there is no jitter, which does no harm.
    let [random] = random_bytes::<1>().unwrap_or([128]);
    time.mul_f64(0.8 + 0.4 * f64::from(random) / 255.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jitter_stays_within_a_fifth() {
        for _ in 0..200 {
            let interval = jittered(Duration::from_secs(100));
            assert!((Duration::from_secs(79)..=Duration::from_secs(121)).contains(&interval));
        }
    }
}
