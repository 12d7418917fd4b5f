//! The servers that a URL names. At most one of them is the primary.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The servers in the order of the URL, and the index of the last known primary.
pub(in super::super) struct Hosts<O> {
    all: Vec<O>,
    current: AtomicUsize,
}

impl<O> Hosts<O> {
    pub(in super::super) fn new(all: Vec<O>) -> Self {
        Self { all, current: AtomicUsize::new(0) }
    }

    pub(in super::super) fn count(&self) -> usize {
        self.all.len()
    }

    /// The last known primary, initially the first server.
    pub(in super::super) fn current(&self) -> &O {
        &self.all[self.current.load(Ordering::Relaxed)]
    }

    /// Every server with its index, from the current one on.
    pub(in super::super) fn iter_from_current(&self) -> impl Iterator<Item = (usize, &O)> {
        let current = self.current.load(Ordering::Relaxed);
        self.all.iter().enumerate().cycle().skip(current).take(self.all.len())
    }

    /// Makes the server at this index the current one.
    pub(in super::super) fn remember(&self, index: usize) {
        self.current.store(index, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_is_tried_from_the_current_one_on() {
        let hosts = Hosts::new(vec!["a", "b", "c"]);
        let order = |hosts: &Hosts<&'static str>| hosts.iter_from_current().map(|(_, host)| *host).collect::<String>();
        assert_eq!((order(&hosts).as_str(), *hosts.current()), ("abc", "a"));
        hosts.remember(2);
        assert_eq!((order(&hosts).as_str(), *hosts.current(), hosts.count()), ("cab", "c", 3));
    }
}
