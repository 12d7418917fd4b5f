//! The profile of a server.

use std::fmt;

/// The purpose of a server. It decides the defaults and how strict the rules are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Development: every setting has a default.
    Dev,
    /// Tests: nothing is kept and hashing is cheap.
    Test,
    /// Production: the settings that matter have no default, and weak values are refused.
    Prod,
}

impl Profile {
    /// All profiles.
    pub(super) const ALL: [Self; 3] = [Self::Dev, Self::Test, Self::Prod];

    /// Returns the name that the setting uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Test => "test",
            Self::Prod => "prod",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
