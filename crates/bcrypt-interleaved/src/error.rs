use crate::{MAX_COST, MAX_LANES, MAX_PASSWORD_LEN, MIN_COST};

/// Why a batch was refused. Nothing was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A cost outside [`MIN_COST`]`..=`[`MAX_COST`].
    #[error("cost {0} is outside {MIN_COST}..={MAX_COST}")]
    Cost(u32),
    /// A password of more than [`MAX_PASSWORD_LEN`] bytes.
    #[error("password {index} of the batch has {len} bytes, more than {MAX_PASSWORD_LEN}")]
    PasswordTooLong {
        /// Which password of the batch, from 0.
        index: usize,
        /// Its length in bytes.
        len: usize,
    },
    /// A batch of none, or of more than [`MAX_LANES`].
    #[error("a batch has 1 to {MAX_LANES} members, not {0}")]
    BatchSize(usize),
    /// The output slice is not as long as the batch.
    #[error("{jobs} members, but room for {room} results")]
    OutputSize {
        /// Members of the batch.
        jobs: usize,
        /// Length of the output slice.
        room: usize,
    },
    /// Hashes of different costs in one batch.
    #[error("costs {0} and {1} in one batch")]
    MixedCosts(u32, u32),
}

/// Why a text is not a bcrypt hash. It never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseHashError {
    /// Not exactly 60 bytes, or a `$` is missing where one belongs.
    #[error("not of the form $2b$cc$ and 53 characters")]
    Shape,
    /// A prefix other than `$2a$`, `$2b$` and `$2y$`.
    #[error("not a version among $2a$, $2b$ and $2y$")]
    Version,
    /// The cost is not two decimal digits within [`MIN_COST`]`..=`[`MAX_COST`].
    #[error("the cost is not two digits within {MIN_COST}..={MAX_COST}")]
    Cost,
    /// A character outside bcrypt's base64 alphabet, or set bits after the last byte of salt or digest.
    #[error("salt or digest is not canonical bcrypt base64")]
    Encoding,
}
