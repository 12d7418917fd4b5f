//! Metrics of the connections of clients, read from the server whenever the metrics are scraped.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntGauge};

use super::{raise_one, set};
use crate::server::Connections;

/// The metrics of [`Connections`].
pub(super) struct ConnectionMeters {
    connections: Arc<Connections>,
    open: IntGauge,
    limit: IntGauge,
    closed_for_room: IntCounter,
    accept_failures: IntCounter,
}

impl ConnectionMeters {
    pub(super) fn new(connections: Arc<Connections>) -> prometheus::Result<Self> {
        Ok(Self {
            connections,
            open: IntGauge::new("auth_http_connections", "Connections of clients that are open")?,
            limit: IntGauge::new("auth_http_connections_limit", "Connections of clients that may be open")?,
            closed_for_room: IntCounter::new(
                "auth_http_connections_closed_for_room_total",
                "Idle connections of clients that were closed to make room for new ones",
            )?,
            accept_failures: IntCounter::new(
                "auth_http_accept_failures_total",
                "Times that the operating system refused to accept a connection",
            )?,
        })
    }

    fn meters(&self) -> [&dyn Collector; 4] {
        [&self.open, &self.limit, &self.closed_for_room, &self.accept_failures]
    }
}

impl Collector for ConnectionMeters {
    fn desc(&self) -> Vec<&Desc> {
        self.meters().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        set(&self.open, self.connections.open() as u64);
        set(&self.limit, self.connections.limit() as u64);
        raise_one(&self.closed_for_room, self.connections.evictions());
        raise_one(&self.accept_failures, self.connections.accept_failures());
        self.meters().into_iter().flat_map(Collector::collect).collect()
    }
}
