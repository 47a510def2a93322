//! The demo bank's page: a customer's app without a framework, served from the program itself.

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Redirect;
use axum::routing::get;

/// A file of the page.
struct File {
    path: &'static str,
    media: &'static str,
    bytes: &'static [u8],
}

macro_rules! files {
    ($($path:literal $media:literal $source:expr;)*) => {
        const FILES: &[File] = &[$(File { path: $path, media: $media, bytes: include_bytes!($source) }),*];
    };
}

files! {
    "/demo/" "text/html; charset=utf-8" "../web/index.html";
    "/demo/style.css" "text/css; charset=utf-8" "../web/style.css";
    "/demo/icon.svg" "image/svg+xml" "../web/icon.svg";
    "/demo/app.js" "text/javascript; charset=utf-8" "../web/app.js";
    "/demo/screens.js" "text/javascript; charset=utf-8" "../web/screens.js";
    "/demo/dialog.js" "text/javascript; charset=utf-8" "../web/dialog.js";
    "/demo/bank.js" "text/javascript; charset=utf-8" "../web/bank.js";
    "/demo/keys.js" "text/javascript; charset=utf-8" "../web/keys.js";
    "/demo/core.js" "text/javascript; charset=utf-8" "../web/core.js";
    "/demo/view.js" "text/javascript; charset=utf-8" "../web/view.js";
    "/demo/core.wasm" "application/wasm" concat!(env!("OUT_DIR"), "/core.wasm");
}

/// Everything comes from the node, nothing stands in the page that runs or styles, and no text becomes markup.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

/// The routes of the page.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let start = Router::new().route("/demo", get(|| async { Redirect::permanent("/demo/") }));
    FILES.iter().fold(start, |router, file| router.route(file.path, get(move || async move { served(file) })))
}

fn served(file: &'static File) -> ([(HeaderName, HeaderValue); 2], &'static [u8]) {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(file.media)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    ];
    (headers, file.bytes)
}
