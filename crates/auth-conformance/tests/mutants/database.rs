//! The database of stores in memory, which all nodes share.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use auth_conformance::Row;
use auth_core::memory::MemoryStore;
use auth_core::{Generation, StoreError, StoreErrorKind, UserId};

use crate::Fault;
use crate::attempts::Counters;
use crate::conflicts::Disturbed;
use crate::log::Log;

/// What all nodes share.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) fault: Fault,
    pub(crate) users: MemoryStore,
    pub(crate) log: Log,
    pub(crate) counters: Counters,
    pub(crate) sessions: crate::sessions::Table,
    pub(crate) personal_tokens: crate::personal::Table,
    pub(crate) keys: crate::keys::Table,
    pub(crate) clients: crate::clients::Table,
    pub(crate) written: crate::tokens::Written,
    pub(crate) holders: crate::outbox::Holders,
    pub(crate) cut: AtomicBool,
    pub(crate) disturbed: Disturbed,
    /// Whether new entries of the log are refused.
    pub(crate) refusing: AtomicBool,
    pub(crate) damaged: Mutex<Vec<Row>>,
    pub(crate) reserved: Mutex<HashSet<String>>,
    pub(crate) generations: Mutex<HashMap<UserId, Generation>>,
}

impl Database {
    pub(crate) fn new(fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            fault,
            users: MemoryStore::new().unwrap(),
            log: Log::new(fault),
            counters: Counters::default(),
            sessions: crate::sessions::Table::default(),
            personal_tokens: crate::personal::Table::default(),
            keys: crate::keys::Table::default(),
            clients: crate::clients::Table::default(),
            written: crate::tokens::Written::default(),
            holders: crate::outbox::Holders::default(),
            cut: AtomicBool::new(false),
            disturbed: Disturbed::default(),
            refusing: AtomicBool::new(false),
            damaged: Mutex::default(),
            reserved: Mutex::default(),
            generations: Mutex::default(),
        })
    }

    /// Begins a write: whether its answer will be lost.
    pub(crate) fn write(&self) -> Result<bool, StoreError> {
        self.up()?;
        self.disturbed.write(self.fault)
    }

    /// An error while the database is cut off.
    pub(crate) fn up(&self) -> Result<(), StoreError> {
        match (self.cut.load(Ordering::SeqCst), self.fault) {
            (false, _) => Ok(()),
            (true, Fault::OutageIsInternal) => Err(StoreError::new(StoreErrorKind::Internal, "it is gone")),
            (true, _) => Err(StoreError::unavailable("it is gone")),
        }
    }
}
