//! The supervisor: what a sandbox runs from a directory of its node.

use relay_core::http::{self, Answer};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const GREETING: &str = "Supervisor says hello";
const PORT: u16 = 8081;

fn main() -> std::io::Result<()> {
    let version = relay_core::version_json("supervisor", VERSION, GREETING);
    if std::env::args().nth(1).as_deref() == Some("--version") {
        print!("{version}");
        return Ok(());
    }
    relay_core::process::end_on_sigterm();
    print!("{version}");
    http::serve(PORT, answer)
}

fn answer(path: &str) -> Answer {
    match path {
        "/version" => Answer::json(relay_core::version_json("supervisor", VERSION, GREETING)),
        _ => Answer::not_found(),
    }
}
