//! The server's own doors.

use std::net::SocketAddr;
use std::time::Duration;

use auth_server::app::{App, ServerStores};
use auth_server::server::Server;

use crate::expectations::{Site, hold_at_server};
use crate::world::{Tokens, World};

#[tokio::test]
async fn auth_server_keeps_the_expectations() {
    let world = World::new();
    let stores = ServerStores { log: world.log.clone(), ..ServerStores::from(world.store.clone()) };
    let app = App::with_stores(&world.config, world.clock.clone(), stores).unwrap();
    let tokens = Tokens::of(app.service(), &world).await;
    let listening = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), app.endpoint()).await.unwrap();
    let site = Site {
        address: listening.address(),
        required: "/auth/verify",
        optional: None,
        admin: "/user/",
        changes: "/auth/verify/for/page",
    };
    tokio::spawn(listening.run(std::future::pending(), Duration::ZERO));
    hold_at_server(&site, &world, &tokens).await;
}
