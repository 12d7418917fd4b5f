//! Names of roles and scopes, and sets of them.

use std::fmt;
use std::str::FromStr;

/// The role that may see and change other users. A user has it by [`User::admin`](crate::User::admin).
pub const ADMIN: &str = "admin";

/// Maximum number of names in a set.
pub const MAX_NAMES: usize = 32;

/// Maximum length of the name of a role or a scope, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// Reason that a name or a set of names cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The text is not the name of a role.
    #[error("a role has 1 to {MAX_NAME_BYTES} characters of a-z, 0-9, '_' and '-', and begins with a letter")]
    Role,
    /// The text is not the name of a scope.
    #[error("a scope has 1 to {MAX_NAME_BYTES} printable ASCII characters without blanks, '\"' and '\\'")]
    Scope,
    /// There are too many names.
    #[error("there may be at most {MAX_NAMES} names")]
    TooMany,
}

/// Defines a name and a set of such names.
macro_rules! names {
    ($(#[$of_name:meta])* $Name:ident, $is_name:ident, $(#[$of_set:meta])* $Set:ident) => {
        $(#[$of_name])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $Name(Box<str>);

        impl $Name {
            /// Returns the name as a text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $Name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                if $is_name(text) { Ok(Self(text.into())) } else { Err(NameError::$Name) }
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        $(#[$of_set])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
        pub struct $Set(Box<[$Name]>);

        impl $Set {
            /// Returns the set of these names. Repetitions count once.
            ///
            /// # Errors
            ///
            /// When there are more than [`MAX_NAMES`].
            pub fn of(names: impl IntoIterator<Item = $Name>) -> Result<Self, NameError> {
                let mut names: Vec<_> = names.into_iter().collect();
                names.sort_unstable();
                names.dedup();
                if names.len() > MAX_NAMES { Err(NameError::TooMany) } else { Ok(Self(names.into())) }
            }

            /// Returns whether there is no name in the set.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }

            /// Returns whether the set has this name.
            #[must_use]
            pub fn contains(&self, name: &str) -> bool {
                self.0.iter().any(|known| &*known.0 == name)
            }

            /// Returns the names in alphabetical order.
            pub fn iter(&self) -> impl Iterator<Item = &$Name> {
                self.0.iter()
            }
        }

        impl fmt::Display for $Set {
            /// Writes the names with a blank between two.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for (number, name) in self.0.iter().enumerate() {
                    f.write_str(if number == 0 { "" } else { " " })?;
                    f.write_str(&name.0)?;
                }
                Ok(())
            }
        }

        impl FromStr for $Set {
            type Err = NameError;

            /// Reads names with blanks between them.
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::of(text.split(' ').filter(|name| !name.is_empty()).map(str::parse).collect::<Result<Vec<_>, _>>()?)
            }
        }
    };
}

names! {
    /// Name of a role: 1 to 64 characters of `a-z`, `0-9`, `_` and `-`, of which the first is a letter.
    ///
    /// ```
    /// use auth_core::Role;
    ///
    /// assert_eq!("editor".parse::<Role>()?.as_str(), "editor");
    /// assert!("Chief Editor".parse::<Role>().is_err());
    /// # Ok::<(), auth_core::NameError>(())
    /// ```
    Role, is_role,
    /// Set of roles, at most [`MAX_NAMES`].
    Roles
}

names! {
    /// Name of a scope (RFC 6749 §3.3): 1 to 64 printable ASCII characters without blanks, `"` and `\`.
    Scope, is_scope,
    /// Set of scopes, at most [`MAX_NAMES`]. As a text it is the `scope` of RFC 6749 §3.3.
    ///
    /// ```
    /// use auth_core::Scopes;
    ///
    /// let scopes: Scopes = "orders:read orders:write".parse()?;
    /// assert!(scopes.contains("orders:read") && !scopes.contains("orders"));
    /// assert_eq!(scopes.to_string(), "orders:read orders:write");
    /// # Ok::<(), auth_core::NameError>(())
    /// ```
    Scopes
}

impl Roles {
    /// Returns the set with this role too.
    ///
    /// # Errors
    ///
    /// When there would be more than [`MAX_NAMES`].
    pub fn with(&self, role: Role) -> Result<Self, NameError> {
        Self::of(self.iter().cloned().chain([role]))
    }

    /// Returns the set without this role.
    #[must_use]
    pub fn without(&self, role: &Role) -> Self {
        Self(self.iter().filter(|other| *other != role).cloned().collect())
    }
}

impl Scopes {
    /// Returns whether every scope of this set is in `other`.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|scope| other.contains(scope.as_str()))
    }
}

fn is_role(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    text.len() <= MAX_NAME_BYTES
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase())
        && text.bytes().all(is_inner)
}

fn is_scope(text: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_their_rules() {
        for good in ["a", "editor", "read-only", "tier_2", &"a".repeat(MAX_NAME_BYTES)] {
            assert!(good.parse::<Role>().is_ok(), "{good}");
        }
        for bad in ["", "Editor", "2nd", "-a", "a b", "é", &"a".repeat(MAX_NAME_BYTES + 1)] {
            assert_eq!(bad.parse::<Role>(), Err(NameError::Role), "{bad}");
        }
        for good in ["a", "orders:read", "https://api.example/x", "!"] {
            assert!(good.parse::<Scope>().is_ok(), "{good}");
        }
        for bad in ["", "a b", "a\"", "a\\", "é", "a\n", &"a".repeat(MAX_NAME_BYTES + 1)] {
            assert_eq!(bad.parse::<Scope>(), Err(NameError::Scope), "{bad:?}");
        }
    }

    #[test]
    fn a_set_has_one_text() {
        let scopes: Scopes = "  b a  b c ".parse().unwrap();
        assert_eq!(scopes.to_string(), "a b c");
        assert_eq!("c b a".parse(), Ok(scopes.clone()));
        assert_eq!("".parse::<Scopes>().unwrap().to_string(), "");
        assert!("a c".parse::<Scopes>().unwrap().is_subset(&scopes));
        assert!(!"a d".parse::<Scopes>().unwrap().is_subset(&scopes));
        let many = |count: usize| (0..count).map(|number| format!("r{number}")).collect::<Vec<_>>().join(" ");
        assert!(many(MAX_NAMES).parse::<Roles>().is_ok());
        assert_eq!(many(MAX_NAMES + 1).parse::<Roles>(), Err(NameError::TooMany));
    }
}
