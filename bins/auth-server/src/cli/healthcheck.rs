//! `auth-server healthcheck`: asks a running server whether it is ready.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use auth_core::BoxError;

use crate::config::{Config, HEALTH_LISTEN, LISTEN};

/// Time that the server has to accept the connection, and to answer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks the server with this configuration on this machine.
///
/// # Errors
///
/// The server cannot be reached or is not ready.
pub(super) fn run(config: &Config) -> Result<(), BoxError> {
    let health = config.health_listen.map(|address| (address, HEALTH_LISTEN.variable()));
    let (address, setting) = health.unwrap_or((config.listen, LISTEN.variable()));
    Ok(ask(address).map_err(|error| format!("{address} ({setting}): {error}"))?)
}

fn ask(address: SocketAddr) -> Result<(), BoxError> {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let mut stream = TcpStream::connect_timeout(&SocketAddr::new(ip, address.port()), TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut status = Vec::new();
    stream.take(64).read_to_end(&mut status)?;
    if status.starts_with(b"HTTP/1.1 200 ") { Ok(()) } else { Err("the server is not ready".into()) }
}
