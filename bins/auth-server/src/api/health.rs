//! For those who run the server: is it alive, is it ready, what is it doing.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::Body;
use poem::web::Data;
use poem::{Endpoint, Request, Response, Result as PoemResult};
use poem_openapi::payload::PlainText;
use poem_openapi::{ApiResponse, OpenApi};

use super::dto::Done;
use super::error::{Code, Failure};
use super::json::Json;
use super::operation::{INTERNAL, Operation, Refused};
use super::{State, Tag};
use crate::server::Application;

/// The operations for operators.
pub struct HealthApi;

#[expect(clippy::unused_async, reason = "the framework takes async functions only")]
#[OpenApi(tag = "Tag::Operations")]
impl HealthApi {
    /// Is the process alive?
    ///
    /// Looks at nothing but the process itself.
    #[oai(path = "/livez", method = "get", operation_id = "live")]
    async fn live(&self) -> Result<Healthy, Refused<Live>> {
        Ok(Healthy::Ok(Json(Done::new("alive"))))
    }

    /// Is the server ready to answer?
    ///
    /// The database answers and has the schema this server needs; the log of revocations is read, fresh and whole.
    #[oai(path = "/readyz", method = "get", operation_id = "ready")]
    async fn ready(&self, state: Data<&Arc<State>>) -> Result<Healthy, Refused<Ready>> {
        state.readiness.check().await.map_err(Failure::unavailable)?;
        let message = state.clock_offset.warning().map_or("ready".to_owned(), |warning| format!("ready; {warning}"));
        Ok(Healthy::Ok(Json(Done::new(&message))))
    }

    /// Metrics
    ///
    /// In the text format of Prometheus.
    #[oai(path = "/metrics", method = "get", operation_id = "metrics")]
    async fn metrics(&self, state: Data<&Arc<State>>) -> Result<PlainText<String>, Refused<Scrape>> {
        state.metrics_text().map(PlainText).map_err(|error| Failure::internal(error).into())
    }
}

#[derive(ApiResponse)]
enum Healthy {
    /// Yes.
    #[oai(status = 200)]
    Ok(Json<Done>),
}

/// Answers by the routes alone: a listener for health checks checks no tokens.
pub(super) struct HealthOnly<E>(pub(super) E);

impl<E: Endpoint<Output = Response>> Endpoint for HealthOnly<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> PoemResult<Response> {
        self.0.call(request).await
    }
}

impl<E: Endpoint<Output = Response>> Application for HealthOnly<E> {
    fn at_once<B: Body>(&self, _: &hyper::Request<B>, _: SocketAddr) -> Option<Response> {
        None
    }
}

struct Live;

impl Operation for Live {
    const REFUSALS: &'static [(Code, &'static str)] = &[INTERNAL];
}

struct Ready;

impl Operation for Ready {
    const REFUSALS: &'static [(Code, &'static str)] = &[(Code::Unavailable, "Not now"), INTERNAL];
}

struct Scrape;

impl Operation for Scrape {
    const REFUSALS: &'static [(Code, &'static str)] = &[INTERNAL];
}
