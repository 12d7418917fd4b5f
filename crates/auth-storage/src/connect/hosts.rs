//! The servers that a URL names, of which one at most is the primary.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The servers in the order of the URL, and which of them was last found to be the primary.
pub(super) struct Hosts<O> {
    all: Vec<O>,
    current: AtomicUsize,
}

impl<O> Hosts<O> {
    pub(super) fn new(all: Vec<O>) -> Self {
        Self { all, current: AtomicUsize::new(0) }
    }

    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// The server that was last remembered, at first the first one.
    pub(super) fn current(&self) -> &O {
        &self.all[self.current.load(Ordering::Relaxed)]
    }

    /// Every server with its place, from the current one on.
    pub(super) fn in_turn(&self) -> impl Iterator<Item = (usize, &O)> {
        let current = self.current.load(Ordering::Relaxed);
        self.all.iter().enumerate().cycle().skip(current).take(self.all.len())
    }

    /// Makes the server at this place, as [`in_turn`](Self::in_turn) tells it, the current one.
    pub(super) fn remember(&self, place: usize) {
        self.current.store(place, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_has_its_turn_from_the_current_one_on() {
        let hosts = Hosts::new(vec!["a", "b", "c"]);
        let turns = |hosts: &Hosts<&'static str>| hosts.in_turn().map(|(_, host)| *host).collect::<String>();
        assert_eq!((turns(&hosts).as_str(), *hosts.current()), ("abc", "a"));
        hosts.remember(2);
        assert_eq!((turns(&hosts).as_str(), *hosts.current(), hosts.count()), ("cab", "c", 3));
    }
}
