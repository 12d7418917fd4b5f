use crate::{MAX_COST, MAX_LANES, MAX_PASSWORD_LEN, MIN_COST};

/// Reason that a batch was refused. Nothing was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The cost is outside [`MIN_COST`]`..=`[`MAX_COST`].
    #[error("cost {0} is outside {MIN_COST}..={MAX_COST}")]
    Cost(u32),
    /// The password has more than [`MAX_PASSWORD_LEN`] bytes.
    #[error("password {index} of the batch has {len} bytes, more than {MAX_PASSWORD_LEN}")]
    PasswordTooLong {
        /// Index of the password in the batch, from 0.
        index: usize,
        /// Length of the password, in bytes.
        len: usize,
    },
    /// The batch is empty or has more than [`MAX_LANES`] members.
    #[error("a batch has 1 to {MAX_LANES} members, not {0}")]
    BatchSize(usize),
    /// The output slice is not as long as the batch.
    #[error("{jobs} members, but room for {room} results")]
    OutputSize {
        /// Number of members of the batch.
        jobs: usize,
        /// Length of the output slice.
        room: usize,
    },
    /// The hashes of the batch have different costs.
    #[error("costs {0} and {1} in one batch")]
    MixedCosts(u32, u32),
}

/// Reason that a text is not a bcrypt hash. It never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseHashError {
    /// The text has not exactly 60 bytes, or a `$` is missing.
    #[error("not of the form $2b$cc$ and 53 characters")]
    Shape,
    /// The prefix is not `$2a$`, `$2b$` or `$2y$`.
    #[error("not a version among $2a$, $2b$ and $2y$")]
    Version,
    /// The cost is not two decimal digits within [`MIN_COST`]`..=`[`MAX_COST`].
    #[error("the cost is not two digits within {MIN_COST}..={MAX_COST}")]
    Cost,
    /// A character is outside bcrypt's base64 alphabet, or bits after the last byte of salt or digest are set.
    #[error("salt or digest is not canonical bcrypt base64")]
    Encoding,
}
