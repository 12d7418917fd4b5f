//! actix-web with PostgreSQL: the ready routes, which register, log in and log out, a protected route, and a route for admins.
//! `DATABASE_URL=postgres://… cargo run -p auth-examples --bin actix_postgres`

use std::error::Error;

use actix_web::error::ErrorServiceUnavailable;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, HttpServer};
use revocable_auth::actix::{self, Admin, Auth, CurrentUser};
use revocable_auth::{AuthService, RevocableAuth, StartError};

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut secret = [0; 32]; // Keep yours: with another secret every token is invalid.
    getrandom::fill(&mut secret)?;
    let auth = start(&std::env::var("DATABASE_URL")?, &secret).await?;
    let service = auth.service().clone();
    HttpServer::new(move || App::new().configure(routes(&service))).bind("127.0.0.1:3000")?.run().await?;
    Ok(auth.stop().await?)
}

pub(crate) async fn start(url: &str, secret: &[u8]) -> Result<RevocableAuth, StartError> {
    RevocableAuth::builder().database_url(url).secret(secret).start().await
}

// readme: actix
pub(crate) fn routes(auth: &AuthService) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let auth = auth.clone();
    move |app| {
        app.service(web::resource("/profile").wrap(Auth::required(&auth)).get(profile))
            .service(web::resource("/members").wrap(Auth::admin(&auth)).get(members))
            .configure(actix::routes(&auth)) // POST /auth/register, /auth/login, /auth/logout, …
            .app_data(Data::new(auth));
    }
}

async fn profile(CurrentUser(user): CurrentUser) -> String {
    format!("you are {}", user.username)
}
// readme: end

async fn members(auth: Data<AuthService>, Admin(_): Admin) -> actix_web::Result<String> {
    let users = auth.list_users(None, 100).await.map_err(ErrorServiceUnavailable)?;
    let names: Vec<&str> = users.iter().map(|user| user.username.as_str()).collect();
    Ok(names.join("\n"))
}
