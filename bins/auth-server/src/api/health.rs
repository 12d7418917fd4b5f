//! Liveness, readiness and metrics.

use std::sync::Arc;

use auth_http::{Code, ErrorAnswer};
use poem::web::Data;
use poem_openapi::payload::PlainText;
use poem_openapi::{ApiResponse, OpenApi};

use super::Tag;
use crate::http::body::Done;
use crate::http::error::ApiError;
use crate::http::json::Json;
use crate::http::operation::{DocumentedError, INTERNAL, Operation, OperationError};
use crate::http::state::State;

/// The operations for operators.
pub(crate) struct HealthApi;

#[expect(clippy::unused_async, reason = "the framework takes async functions only")]
#[OpenApi(tag = "Tag::Operations")]
impl HealthApi {
    /// Is the process alive?
    ///
    /// Looks at nothing but the process itself.
    #[oai(path = "/livez", method = "get", operation_id = "live")]
    async fn live(&self) -> Result<Healthy, OperationError<Live>> {
        Ok(Healthy::Ok(Json(Done::new("alive"))))
    }

    /// Is the server ready to answer?
    ///
    /// The database answers and has the schema this server needs; the log of revocations is read, fresh and whole.
    #[oai(path = "/readyz", method = "get", operation_id = "ready")]
    async fn ready(&self, state: Data<&Arc<State>>) -> Result<Healthy, OperationError<Ready>> {
        state.readiness.check().await.map_err(ErrorAnswer::unavailable)?;
        let message = state.clock_offset.warning().map_or("ready".to_owned(), |warning| format!("ready; {warning}"));
        Ok(Healthy::Ok(Json(Done::new(&message))))
    }

    /// Metrics
    ///
    /// In the text format of Prometheus.
    #[oai(path = "/metrics", method = "get", operation_id = "metrics")]
    async fn metrics(&self, state: Data<&Arc<State>>) -> Result<PlainText<String>, OperationError<Scrape>> {
        state.metrics_text().map(PlainText).map_err(|error| ApiError::internal(error).into())
    }
}

#[derive(ApiResponse)]
enum Healthy {
    /// Yes.
    #[oai(status = 200)]
    Ok(Json<Done>),
}

struct Live;

impl Operation for Live {
    const ERRORS: &'static [DocumentedError] = &[INTERNAL];
}

struct Ready;

impl Operation for Ready {
    const ERRORS: &'static [DocumentedError] = &[(Code::Unavailable, "Not now"), INTERNAL];
}

struct Scrape;

impl Operation for Scrape {
    const ERRORS: &'static [DocumentedError] = &[INTERNAL];
}
