#![doc = include_str!("../README.md")]

#[cfg(feature = "axum")]
pub mod axum;
mod grpc;
mod head;
mod layer;
#[cfg(feature = "poem")]
mod poem;
mod rejection;
mod service;

pub use grpc::GrpcRefusal;
pub use layer::AuthLayer;
#[cfg(feature = "poem")]
pub use poem::Guarded;
pub use rejection::{JsonRefusal, Rejection, Respond};
pub use service::{Auth, ResponseFuture};

/// What a layer made with [`AuthLayer::optional`] leaves in the extensions of a request without a token, so that it can be
/// told from a request that no layer looked at.
#[derive(Debug, Clone, Copy)]
struct Anonymous;
