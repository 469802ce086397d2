//! The simulator's own endpoints: health, statistics, and the fault rules in force.

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming as HttpBody;
use serde_json::{Value, json};

use super::body::{self, Body};
use super::faults::spec;
use super::provider::Provider;
use super::server;

/// Answers `GET /healthz`, `GET /simulator/stats` and `GET|POST|DELETE /simulator/faults`.
pub(crate) async fn serve(request: Request<HttpBody>, provider: &Provider) -> Response<Body> {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    match (method, path.as_str()) {
        (Method::GET, "/healthz") => reply(
            StatusCode::OK,
            &json!({ "status": "ok", "simulated": true }),
        ),
        (Method::GET, "/simulator/stats") => {
            let stats = serde_json::to_value(provider.book.snapshot());
            reply(StatusCode::OK, &stats.expect("counts are plain data"))
        }
        (Method::GET, "/simulator/faults") => {
            let states = serde_json::to_value(provider.faults.states());
            reply(StatusCode::OK, &states.expect("rules are plain data"))
        }
        (Method::POST, "/simulator/faults") => add(request, provider).await,
        (Method::DELETE, "/simulator/faults") => {
            provider.faults.clear();
            reply(StatusCode::OK, &json!({ "faults": 0 }))
        }
        _ => reply(
            StatusCode::NOT_FOUND,
            &json!({ "error": "no such endpoint of the simulator" }),
        ),
    }
}

async fn add(request: Request<HttpBody>, provider: &Provider) -> Response<Body> {
    let bad = |problem: String| reply(StatusCode::BAD_REQUEST, &json!({ "error": problem }));
    let Some(body) = server::read(request.into_body()).await else {
        return bad("the body is larger than 8 MiB".to_owned());
    };
    let rules = serde_json::from_slice::<Value>(&body)
        .map_err(anyhow::Error::from)
        .and_then(|value| spec::parse_json(&value));
    match rules {
        Ok(rules) => {
            for rule in rules {
                provider.faults.push(rule);
            }
            reply(
                StatusCode::OK,
                &json!({ "faults": provider.faults.states().len() }),
            )
        }
        Err(problem) => bad(format!("{problem:#}")),
    }
}

fn reply(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = Response::new(body::whole(value.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert("x-simulated", HeaderValue::from_static("true"));
    response
}
