//! One route: its methods, the parameters that they accept, and its metrics.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use auth_http::ErrorAnswer;
use poem::endpoint::BoxEndpoint;
use poem::http::{HeaderValue, Method};
use poem::{Endpoint, Request, Response, Result, RouteMethod};
use serde_json::Value;

use super::error::ApiError;
use super::query::AcceptedParameters;
use crate::metrics::{Metrics, RouteMeters};

/// The endpoints of all routes, by the pattern of their path and by method.
pub(crate) type RouteTable = HashMap<String, HashMap<Method, BoxEndpoint<'static>>>;

/// The meters of the route that answers a request. The envelope puts it into the request and the route fills it.
#[derive(Clone, Default)]
pub(crate) struct MatchedRoute(Arc<OnceLock<Arc<RouteMeters>>>);

impl MatchedRoute {
    fn set(&self, meters: Arc<RouteMeters>) {
        // If routes are nested, the outermost is the one that counts.
        let _ = self.0.set(meters);
    }

    /// Returns the meters, unless no route matched.
    pub(crate) fn get(&self) -> Option<&RouteMeters> {
        self.0.get().map(Arc::as_ref)
    }
}

/// The methods of one path. Notes in the request that this route matched, and lists the methods in a 405.
pub(crate) struct RouteEndpoint {
    meters: Arc<RouteMeters>,
    /// The methods, as the `Allow` field lists them.
    allow: String,
    /// The methods that it answers, with the parameters that each accepts.
    accepted: Vec<(Method, AcceptedParameters)>,
    methods: RouteMethod,
}

impl RouteEndpoint {
    /// `document` is the OpenAPI document, which says what parameters each method accepts.
    pub(crate) fn new(
        metrics: &Metrics,
        document: &Value,
        pattern: &str,
        methods: HashMap<Method, BoxEndpoint<'static>>,
    ) -> Self {
        let path = documented_path(document, pattern);
        Self::with_parameters(metrics, &path, methods, |method| AcceptedParameters::find(document, &path, method))
    }

    /// Returns a route that is not in the OpenAPI document. It accepts every query parameter: programs that forward mail add their own
    /// to the link of a page, and OAuth ignores parameters that it does not know (RFC 6749 §3.2).
    pub(crate) fn undocumented(
        metrics: &Metrics,
        pattern: &str,
        methods: HashMap<Method, BoxEndpoint<'static>>,
    ) -> Self {
        Self::with_parameters(metrics, pattern, methods, |_| AcceptedParameters::any())
    }

    fn with_parameters(
        metrics: &Metrics,
        path: &str,
        methods: HashMap<Method, BoxEndpoint<'static>>,
        find: impl Fn(&Method) -> AcceptedParameters,
    ) -> Self {
        let mut accepted: Vec<_> = methods.keys().map(|method| (method.clone(), find(method))).collect();
        if methods.contains_key(&Method::GET) {
            accepted.push((Method::HEAD, find(&Method::GET)));
        }
        accepted.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
        let names: Vec<&str> = accepted.iter().map(|(method, _)| method.as_str()).collect();
        Self {
            meters: Arc::new(metrics.route(path)),
            allow: names.join(", "),
            methods: methods
                .into_iter()
                .fold(RouteMethod::new(), |route, (method, endpoint)| route.method(method, endpoint)),
            accepted,
        }
    }

    fn note_match(&self, request: &Request) {
        if let Some(route) = request.data::<MatchedRoute>() {
            route.set(Arc::clone(&self.meters));
        }
    }
}

impl Endpoint for RouteEndpoint {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        self.note_match(&request);
        let accepted = self.accepted.iter().find(|(method, _)| method == request.method());
        let (_, parameters) =
            accepted.ok_or_else(|| ApiError::from(ErrorAnswer::method_not_allowed(self.allow.clone())))?;
        parameters.check(&mut request).map_err(ApiError::from)?;
        self.methods.call(request).await
    }
}

/// Answers every request as `GET` of the route, whatever its method and query.
///
/// A gateway that asks about a request may keep the method, and append the path and the query, of the request that it asks
/// about, as Envoy's `ext_authz` does.
pub(crate) struct AsGet(pub(crate) Arc<RouteEndpoint>);

impl Endpoint for AsGet {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        // The check of a cookie depends on the method that is asked about.
        if let Ok(method) = HeaderValue::from_str(request.method().as_str()) {
            request.headers_mut().append("x-forwarded-method", method);
        }
        request.set_method(Method::GET);
        self.0.note_match(&request);
        self.0.methods.call(request).await
    }
}

/// Returns the path of the OpenAPI document that the pattern stands for, with the names of its parameters in place of the
/// router's. A pattern that is not in the document is returned as it is.
fn documented_path(document: &Value, pattern: &str) -> String {
    let is_parameter = |segment: &str| segment.starts_with('{');
    let stands_for = |path: &&String| {
        let (mut documented, mut routed) = (path.split('/'), pattern.split('/'));
        let same = |(one, other): (&str, &str)| if is_parameter(one) { other.starts_with(':') } else { one == other };
        documented.by_ref().zip(routed.by_ref()).all(same) && documented.next().is_none() && routed.next().is_none()
    };
    let paths = document["paths"].as_object().into_iter().flat_map(serde_json::Map::keys);
    paths.into_iter().find(stands_for).unwrap_or(&pattern.to_owned()).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_documented_with_the_names_of_its_parameters() {
        let document = serde_json::from_str(&crate::api::openapi_json()).unwrap();
        for (pattern, path) in [
            ("/auth/login", "/auth/login"),
            ("/user/", "/user/"),
            ("/user/me", "/user/me"),
            ("/user/:param0", "/user/{public_id}"),
            ("/user/me/sessions/:param0", "/user/me/sessions/{id}"),
            ("/user/:param0/sessions", "/user/{public_id}/sessions"),
            ("/user/:param0/sessions/:param1", "/user/{public_id}/sessions/{id}"),
            ("/docs", "/docs"),
        ] {
            assert_eq!(documented_path(&document, pattern), path);
        }
    }
}
