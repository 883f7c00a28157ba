//! The gateway: `/` shows both parts, `/version` says what runs, `/healthz` that it does.

use std::env;
use std::net::{IpAddr, SocketAddr};

use relay_core::http::{self, Answer};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const GREETING: &str = "Gateway says hello";
const PORT: u16 = 8080;

fn main() -> std::io::Result<()> {
    relay_core::process::end_on_sigterm();
    println!("gateway {VERSION}, core {}, profile {}", relay_core::VERSION, relay_core::PROFILE);
    http::serve(PORT, answer)
}

fn answer(path: &str) -> Answer {
    match path {
        "/healthz" => Answer::text("ok\n"),
        "/version" => Answer::json(version()),
        "/" => Answer::html(page()),
        _ => Answer::not_found(),
    }
}

fn version() -> String {
    relay_core::version_json("gateway", VERSION, GREETING)
}

fn page() -> String {
    let sandbox = sandbox_version().unwrap_or_else(|reason| format!("no sandbox answers: {reason}\n"));
    format!(
        "<!doctype html>\n<title>relay</title>\n<h1>{GREETING}</h1>\n<p>{}</p>\n\
         <h2>Gateway</h2>\n<pre>{}</pre>\n<h2>Supervisor, in one of the sandboxes</h2>\n<pre>{sandbox}</pre>\n",
        relay_core::GREETING,
        version(),
    )
}

/// What one of the sandboxes answers, reached through the Service that Kubernetes names in the
/// environment.
fn sandbox_version() -> Result<String, String> {
    let host = env::var("SANDBOX_SERVICE_HOST").map_err(|_| "there is no Service sandbox")?;
    let port = env::var("SANDBOX_SERVICE_PORT").map_err(|_| "the Service sandbox has no port")?;
    let host: IpAddr = host.parse().map_err(|_| format!("{host} is no address"))?;
    let port: u16 = port.parse().map_err(|_| format!("{port} is no port"))?;
    http::get(SocketAddr::new(host, port), "/version").map_err(|error| error.to_string())
}
