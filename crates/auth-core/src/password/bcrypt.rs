//! bcrypt: the default password hash.

use zeroize::Zeroizing;

use super::{HashError, Password, PasswordHash, PasswordHasher, Verdict};

/// The most bytes of password that bcrypt reads. Longer ones are refused, never cut off.
pub const MAX_BCRYPT_BYTES: usize = 72;

/// The lowest cost that bcrypt defines.
pub const MIN_COST: u32 = 4;

/// The highest cost that bcrypt defines.
pub const MAX_COST: u32 = 31;

/// The highest cost of a stored hash that is computed. A row that asks for more would hold a thread for minutes.
pub const MAX_VERIFIED_COST: u32 = 16;

const HASH_BYTES: usize = 60;

/// Hashes with bcrypt. Reads `$2a$`, `$2b$` and `$2y$`, writes `$2b$`.
#[derive(Debug, Clone)]
pub struct BcryptHasher {
    cost: u32,
}

impl BcryptHasher {
    /// A hasher of the given cost, from [`MIN_COST`] to [`MAX_COST`]: 2^cost rounds.
    ///
    /// # Errors
    ///
    /// When the cost is out of these bounds.
    pub fn new(cost: u32) -> Result<Self, CostError> {
        if (MIN_COST..=MAX_COST).contains(&cost) { Ok(Self { cost }) } else { Err(CostError { cost }) }
    }

    /// The most expensive hash that is verified: what we write ourselves is always readable.
    fn ceiling(&self) -> u32 {
        self.cost.max(MAX_VERIFIED_COST)
    }
}

/// The cost is not one that bcrypt defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a bcrypt cost must be from {MIN_COST} to {MAX_COST}, not {cost}")]
pub struct CostError {
    cost: u32,
}

impl PasswordHasher for BcryptHasher {
    fn max_bytes(&self) -> usize {
        MAX_BCRYPT_BYTES
    }

    fn hash(&self, password: &Password) -> Result<PasswordHash, HashError> {
        let secret = password.expose_secret().as_bytes();
        if secret.len() > MAX_BCRYPT_BYTES {
            return Err(HashError::Failed(super::PasswordError::TooManyBytes { max: MAX_BCRYPT_BYTES }.into()));
        }
        let salt = random()?;
        let parts = bcrypt::hash_with_salt(secret, self.cost, salt).map_err(|error| HashError::Failed(error.into()))?;
        Ok(PasswordHash::new(parts.format_for_version(bcrypt::Version::TwoB)))
    }

    fn verify(&self, password: &Password, hash: &PasswordHash) -> Result<Verdict, HashError> {
        let text = hash.expose_hash();
        let cost = stored_cost(text)?;
        if cost > self.ceiling() {
            return Err(HashError::UnusableHash("its bcrypt cost is higher than 16"));
        }
        let secret = password.expose_secret().as_bytes();
        if secret.len() > MAX_BCRYPT_BYTES {
            return Ok(Verdict::Mismatch);
        }
        let matches = bcrypt::verify(secret, text).map_err(|_| HashError::UnusableHash("it is not well-formed"))?;
        Ok(match matches {
            false => Verdict::Mismatch,
            true if cost == self.cost => Verdict::Match,
            true => Verdict::MatchRehash,
        })
    }

    fn decoy(&self) -> Result<PasswordHash, HashError> {
        use base64::Engine as _;
        let (salt, digest) = (random::<16>()?, Zeroizing::new(random::<23>()?));
        Ok(PasswordHash::new(format!(
            "$2b${:02}${}{}",
            self.cost,
            bcrypt::BASE_64.encode(salt),
            bcrypt::BASE_64.encode(*digest)
        )))
    }
}

/// The cost of a stored hash, from its modular-crypt form `$2b$<cost>$<22 characters of salt><31 of digest>`.
fn stored_cost(text: &str) -> Result<u32, HashError> {
    const MALFORMED: HashError = HashError::UnusableHash("it is not a bcrypt hash");
    if text.len() != HASH_BYTES || !["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix)) {
        return Err(MALFORMED);
    }
    let (cost, rest) = text.get(4..6).zip(text.get(6..)).ok_or(MALFORMED)?;
    let digits = cost.bytes().all(|byte| byte.is_ascii_digit()) && rest.starts_with('$');
    cost.parse().ok().filter(|cost| digits && (MIN_COST..=MAX_COST).contains(cost)).ok_or(MALFORMED)
}

fn random<const N: usize>() -> Result<[u8; N], HashError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| HashError::Failed(error.into()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    fn hasher() -> BcryptHasher {
        BcryptHasher::new(4).unwrap()
    }

    #[test]
    fn writes_2b_and_recognises_it() {
        let hash = hasher().hash(&password("123456")).unwrap();
        assert!(hash.expose_hash().starts_with("$2b$04$"));
        assert_eq!(hasher().verify(&password("123456"), &hash).unwrap(), Verdict::Match);
        assert_eq!(hasher().verify(&password("123457"), &hash).unwrap(), Verdict::Mismatch);
        assert_ne!(hasher().hash(&password("123456")).unwrap(), hash, "the salt is random");
    }

    #[test]
    fn reads_published_vectors_of_every_prefix() {
        for (text, hash) in [
            ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
            ("U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
            ("U*U", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
            ("U*U", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        ] {
            let hash = PasswordHash::new(hash.to_owned());
            assert_eq!(hasher().verify(&password(text), &hash).unwrap(), Verdict::MatchRehash, "{text}");
        }
    }

    #[test]
    fn the_72_byte_rule_is_explicit() {
        for length in [71, 72] {
            let hash = hasher().hash(&password(&"x".repeat(length))).unwrap();
            assert_eq!(hasher().verify(&password(&"x".repeat(length)), &hash).unwrap(), Verdict::Match);
            assert_eq!(hasher().verify(&password(&"x".repeat(73)), &hash).unwrap(), Verdict::Mismatch);
        }
        assert!(hasher().hash(&password(&"x".repeat(73))).is_err());
    }

    #[test]
    fn unusable_hashes_are_errors_not_panics() {
        for text in [
            "",
            "$2b$04$",
            "plain",
            "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$2b$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$2b$+5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$2b$05$üCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
            "$2b$0ü$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
        ] {
            let hash = PasswordHash::new(text.to_owned());
            assert!(
                matches!(hasher().verify(&password("x"), &hash), Err(HashError::UnusableHash(_))),
                "{text:?} was not refused"
            );
        }
        assert!(BcryptHasher::new(3).is_err() && BcryptHasher::new(32).is_err());
    }

    #[test]
    fn the_decoy_is_a_hash_of_the_configured_cost_that_nothing_matches() {
        let hasher = BcryptHasher::new(5).unwrap();
        let decoy = hasher.decoy().unwrap();
        assert_eq!(stored_cost(decoy.expose_hash()).unwrap(), 5);
        assert_eq!(hasher.verify(&password("123456"), &decoy).unwrap(), Verdict::Mismatch);
    }
}
