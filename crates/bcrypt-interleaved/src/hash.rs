use core::fmt;
use core::str::FromStr;

use subtle::{Choice, ConstantTimeEq};

use crate::encoding::{decode, encode};
use crate::{Digest, Error, MAX_COST, MIN_COST, ParseHashError, Salt};

/// A bcrypt hash: cost, salt and digest.
///
/// It reads the 60 characters of `$2a$`, `$2b$` and `$2y$`, which name one function, and writes `$2b$`. It accepts
/// exactly the texts that the `bcrypt` crate can verify, with two exceptions that are refused: `$2x$`, which marks
/// hashes of a faulty variant of the function, and a cost with a sign (`+4`).
///
/// Equality takes the same time for every pair of digests. `Debug` does not show salt and digest.
///
/// ```
/// use bcrypt_interleaved::{Hash, ParseHashError};
///
/// let hash: Hash = "$2a$10$vI8aWBnW3fID.ZQ4/zo1G.q1lRps.9cGLcZEiGDMVr5yUP1KUOYTa".parse()?;
/// assert_eq!(hash.cost(), 10);
/// assert_eq!(hash.to_string(), "$2b$10$vI8aWBnW3fID.ZQ4/zo1G.q1lRps.9cGLcZEiGDMVr5yUP1KUOYTa");
/// assert_eq!("$2b$32$vI8aWBnW3fID.ZQ4/zo1G.q1lRps.9cGLcZEiGDMVr5yUP1KUOYTa".parse::<Hash>(), Err(ParseHashError::Cost));
/// # Ok::<(), ParseHashError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Hash {
    cost: u32,
    salt: Salt,
    digest: Digest,
}

impl Hash {
    /// Returns the hash with these parts.
    ///
    /// # Errors
    ///
    /// [`Error::Cost`] when the cost is outside [`MIN_COST`]`..=`[`MAX_COST`].
    pub fn new(cost: u32, salt: Salt, digest: Digest) -> Result<Self, Error> {
        check_cost(cost)?;
        Ok(Self { cost, salt, digest })
    }

    /// Returns the cost: the base-2 logarithm of the number of iterations, from [`MIN_COST`] to [`MAX_COST`].
    #[must_use]
    pub fn cost(&self) -> u32 {
        self.cost
    }

    /// Returns the decoded salt.
    #[must_use]
    pub fn salt(&self) -> Salt {
        self.salt
    }

    /// Returns the decoded digest. Compare digests with [`matches`](Self::matches), which takes the same time for all
    /// values.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns whether a freshly computed digest is the digest of this hash, in the same time for all values.
    #[must_use]
    pub fn matches(&self, digest: &Digest) -> bool {
        self.digest.ct_eq(digest).into()
    }
}

impl FromStr for Hash {
    type Err = ParseHashError;

    /// # Errors
    ///
    /// When the text is malformed. The error names the first part of the text that is wrong, and never repeats it.
    fn from_str(text: &str) -> Result<Self, ParseHashError> {
        let bytes: &[u8; 60] = text.as_bytes().try_into().map_err(|_| ParseHashError::Shape)?;
        let &[b'$', v0, v1, b'$', tens, units, b'$', ref encoded @ ..] = bytes else {
            return Err(ParseHashError::Shape);
        };
        if ![*b"2a", *b"2b", *b"2y"].contains(&[v0, v1]) {
            return Err(ParseHashError::Version);
        }
        if !(tens.is_ascii_digit() && units.is_ascii_digit()) {
            return Err(ParseHashError::Cost);
        }
        let cost = 10 * u32::from(tens - b'0') + u32::from(units - b'0');
        check_cost(cost).map_err(|_| ParseHashError::Cost)?;
        let (mut salt, mut digest) = (Salt::default(), [0; 23]);
        decode(&encoded[..22], &mut salt).ok_or(ParseHashError::Encoding)?;
        decode(&encoded[22..], &mut digest).ok_or(ParseHashError::Encoding)?;
        Ok(Self { cost, salt, digest })
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut encoded = [0; 53];
        encode(&self.salt, &mut encoded[..22]);
        encode(&self.digest, &mut encoded[22..]);
        write!(f, "$2b${:02}${}", self.cost, str::from_utf8(&encoded).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hash").field("cost", &self.cost).finish_non_exhaustive()
    }
}

impl ConstantTimeEq for Hash {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.cost.ct_eq(&other.cost) & self.salt.ct_eq(&other.salt) & self.digest.ct_eq(&other.digest)
    }
}

impl PartialEq for Hash {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for Hash {}

/// # Errors
///
/// [`Error::Cost`] when the cost is outside [`MIN_COST`]`..=`[`MAX_COST`].
pub(crate) fn check_cost(cost: u32) -> Result<(), Error> {
    if (MIN_COST..=MAX_COST).contains(&cost) { Ok(()) } else { Err(Error::Cost(cost)) }
}
