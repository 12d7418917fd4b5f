//! Adding revocations, one or millions.

use auth_core::Revocation;
use auth_core::blacklist::{RevocationSink, RevocationTarget};

use super::{Index, hour_of, sessions};

impl RevocationSink for Index {
    fn insert_all(&self, revocations: &[Revocation]) {
        let mut tokens = self.tokens.writing();
        for revocation in revocations {
            let hour = hour_of(revocation.expires_at);
            match revocation.target {
                RevocationTarget::Token(id) => tokens.insert(id.as_uuid(), hour),
                RevocationTarget::Session(id) => {
                    for hour in sessions::partitions(id, revocation) {
                        tokens.insert(id.as_uuid(), hour);
                    }
                }
                RevocationTarget::User { id, below } => self.users.insert(id, below, hour),
                RevocationTarget::Key(id) => self.keys.insert(id, hour),
            }
        }
    }
}
