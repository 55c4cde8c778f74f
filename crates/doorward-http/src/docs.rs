//! The OpenAPI documents and a page that shows them. The page is made here, from the same documents: it runs no
//! script and fetches nothing.

#![expect(
    clippy::indexing_slicing,
    reason = "a `serde_json::Value` answers null for a member it does not have, and these are objects"
)]

use std::fmt::Write;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderValue, Request, StatusCode};
use axum::routing::get;
use bytes::Bytes;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::engine::{Engine, Mounted};
use crate::openapi::document;
use crate::operations::response;
use crate::own;

/// The page may use the style that stands in it, and nothing else.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

const STYLE: &str = "
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 3rem; border-bottom: 1px solid #8886; }
details { margin: .5rem 0; border: 1px solid #8886; border-radius: .5rem; padding: .5rem .75rem; }
summary { cursor: pointer; } summary b { display: inline-block; min-width: 4.5rem; }
code, pre { font: .875rem/1.5 ui-monospace, monospace; } pre { overflow: auto; padding: .75rem; background: #8882; border-radius: .5rem; }
dt { font-weight: 600; margin-top: .75rem; } dd { margin: 0; }
";

pub(crate) fn routes(engine: &Engine) -> Router<Arc<Engine>> {
    let made = Made::default();
    let handler = move |State(engine): State<Arc<Engine>>, request: Request<Body>| async move {
        let (started, facts) = (engine.auth.clock().instant(), engine.facts(&request));
        let html = made.get(|| page(&engine)).await;
        let mut response = response(StatusCode::OK, "text/html; charset=utf-8", html);
        let headers = response.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
        engine.finish(&facts, ("none", "docs", "ok"), response, started)
    };
    let mut router = Router::new().route(own::DOCS, get(handler));
    for prefix in prefixes(engine) {
        let path = own::document(&prefix);
        let made = Made::default();
        let handler = move |State(engine): State<Arc<Engine>>, request: Request<Body>| async move {
            let (started, facts) = (engine.auth.clock().instant(), engine.facts(&request));
            let text = made.get(|| document(&mounted_at(&engine, &prefix)).to_string()).await;
            let response = response(StatusCode::OK, "application/json; charset=utf-8", text);
            engine.finish(&facts, ("none", "openapi", "ok"), response, started)
        };
        router = router.route(&path, get(handler));
    }
    router
}

/// What is made when somebody first asks for it, and kept: it takes milliseconds, and what nobody asks for takes no
/// memory.
#[derive(Clone, Default)]
struct Made(Arc<OnceCell<Bytes>>);

impl Made {
    async fn get(&self, make: impl FnOnce() -> String) -> Bytes {
        self.0.get_or_init(|| async { make().into() }).await.clone()
    }
}

/// Every prefix once, in the order of mounting.
fn prefixes(engine: &Engine) -> Vec<String> {
    let mut prefixes: Vec<String> = Vec::new();
    for mounted in &engine.mounts {
        if !prefixes.contains(&mounted.prefix) {
            prefixes.push(mounted.prefix.clone());
        }
    }
    prefixes
}

fn mounted_at<'e>(engine: &'e Engine, prefix: &str) -> Vec<&'e Arc<Mounted>> {
    engine
        .mounts
        .iter()
        .filter(|mounted| mounted.prefix == prefix)
        .collect()
}

fn page(engine: &Engine) -> String {
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>APIs of this server</title>\
         <style>{STYLE}</style><h1>APIs of this server</h1>"
    );
    for prefix in prefixes(engine) {
        let document = document(&mounted_at(engine, &prefix));
        section(&mut html, &prefix, &document);
    }
    html
}

fn section(html: &mut String, prefix: &str, document: &Value) {
    let text = |value: &Value| escaped(value.as_str().unwrap_or_default());
    let shown = if prefix.is_empty() { "/" } else { prefix };
    // The link is relative to the page, so that it also works where the server is nested in another one.
    let _ = write!(
        html,
        "<h2><code>{}</code> {}</h2><p>{}</p><p><a href=\".{}/openapi.json\">OpenAPI document</a></p>",
        escaped(shown),
        text(&document["info"]["title"]),
        text(&document["info"]["summary"]),
        escaped(prefix),
    );
    for (path, operations) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            let _ = write!(
                html,
                "<details><summary><b>{}</b> <code>{}</code> {}</summary>",
                escaped(&method.to_uppercase()),
                escaped(path),
                text(&operation["summary"]),
            );
            if let Some(body) = operation["requestBody"]["content"]
                .as_object()
                .and_then(|content| content.values().next())
            {
                let _ = write!(
                    html,
                    "<dl><dt>Request</dt><dd><pre>{}</pre></dd></dl>",
                    pretty(&body["schema"])
                );
            }
            html.push_str("<dl>");
            for (status, response) in operation["responses"].as_object().into_iter().flatten() {
                let _ = write!(
                    html,
                    "<dt>{}</dt><dd>{}",
                    escaped(status),
                    text(&response["description"])
                );
                let content = response["content"]
                    .as_object()
                    .and_then(|content| content.values().next());
                if let Some(example) = content.and_then(|content| content["schema"]["examples"].get(0)) {
                    let _ = write!(html, "<pre>{}</pre>", pretty(example));
                }
                html.push_str("</dd>");
            }
            html.push_str("</dl></details>");
        }
    }
}

fn pretty(value: &Value) -> String {
    escaped(&serde_json::to_string_pretty(value).unwrap_or_default())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
