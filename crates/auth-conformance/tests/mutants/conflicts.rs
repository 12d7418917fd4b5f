//! What a database does to one write, or to the reads of other nodes, when a check asks for it.

use std::sync::Mutex;

use auth_conformance::Disturbance;
use auth_core::{StoreError, StoreErrorKind};

use crate::Fault;

/// What was asked for and has not happened yet.
#[derive(Debug, Default)]
pub(crate) struct Disturbed {
    next: Mutex<Option<Disturbance>>,
    lagging: Mutex<bool>,
}

impl Disturbed {
    pub(crate) fn by(&self, disturbance: Disturbance) {
        if disturbance == Disturbance::Lag {
            *self.lagging.lock().unwrap() = true;
        } else {
            *self.next.lock().unwrap() = Some(disturbance);
        }
    }

    /// Whether the answer to the write that begins now is lost. A conflict before that is an error of a store that does not
    /// try again.
    pub(crate) fn write(&self, fault: Fault) -> Result<bool, StoreError> {
        match self.next.lock().unwrap().take() {
            Some(Disturbance::Conflict) if fault == Fault::ConflictIsInternal => {
                Err(StoreError::new(StoreErrorKind::Internal, "deadlock"))
            }
            Some(Disturbance::LostAnswer) => Ok(true),
            _ => Ok(false),
        }
    }

    /// Whether a read that does not wait misses what was written since.
    pub(crate) fn is_behind(&self, fault: Fault) -> bool {
        fault == Fault::ReadsBehind && *self.lagging.lock().unwrap()
    }
}
