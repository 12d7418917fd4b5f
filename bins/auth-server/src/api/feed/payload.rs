//! The bodies of the feed, which arrive here as bytes.

use std::sync::Arc;

use auth_feed::snapshot::MEDIA_TYPE;
use poem::{Body, IntoResponse, Response};
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde_json::json;

/// A page as JSON.
pub(super) struct PageBody(pub(super) Vec<u8>);

/// A snapshot.
pub(super) struct SnapshotBody(pub(super) Arc<[u8]>);

impl Payload for PageBody {
    const CONTENT_TYPE: &'static str = "application/json";

    fn schema_ref() -> MetaSchemaRef {
        let members = ["epoch", "instance", "uptime_ms", "age_ms", "head", "purged", "entries", "skipped", "next"];
        MetaSchemaRef::Inline(Box::new(MetaSchema {
            description: Some(
                "The members of a page and of its entries, and what a follower makes of them, are in docs/FOLLOWERS.md.",
            ),
            required: members.to_vec(),
            example: Some(json!({
                "epoch": "67e55044-10b1-426f-9247-bb680e5fe0c8",
                "instance": "0b0c6b34-3a3c-4c2e-9a53-0f8a2f2b8e10",
                "uptime_ms": 86_400_000,
                "age_ms": 120,
                "head": 7,
                "purged": { "tokens": 1_799_990_000, "users": 1_799_990_000 },
                "entries": [{
                    "position": 7,
                    "mark": "00000000000000ff",
                    "token": "6f1c0a3e-52d7-4b8e-9c1d-2e3f4a5b6c7d",
                    "exp": 1_800_086_400
                }],
                "skipped": 0,
                "next": "67e55044-10b1-426f-9247-bb680e5fe0c8:7:00000000000000ff",
            })),
            ..MetaSchema::new("object")
        }))
    }
}

impl IntoResponse for PageBody {
    fn into_response(self) -> Response {
        Response::builder().content_type(Self::CONTENT_TYPE).body(self.0)
    }
}

impl Payload for SnapshotBody {
    const CONTENT_TYPE: &'static str = MEDIA_TYPE;

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new_with_format("string", "binary")))
    }
}

impl IntoResponse for SnapshotBody {
    fn into_response(self) -> Response {
        let bytes = hyper::body::Bytes::from_owner(self.0);
        Response::builder().content_type(Self::CONTENT_TYPE).body(Body::from(bytes))
    }
}
