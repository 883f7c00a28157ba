//! What both parts share: a name and a version to show, and a small HTTP server and client.

pub mod http;
pub mod process;

pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What core has to say; edit it, and both parts are compiled.
pub const GREETING: &str = "Core says hello";

/// The cargo profile that this was compiled with, as the Dockerfiles hand it on.
pub const PROFILE: &str = match option_env!("CARGO_PROFILE") {
    Some(profile) => profile,
    None if cfg!(debug_assertions) => "dev",
    None => "release",
};

/// A part's answer to `/version`. None of the texts may need escaping.
pub fn version_json(part: &str, version: &str, greeting: &str) -> String {
    format!(
        "{{\"{part}\": \"{version}\", \"core\": \"{VERSION}\", \"profile\": \"{PROFILE}\", \
         \"says\": \"{greeting}\", \"core_says\": \"{GREETING}\"}}\n"
    )
}
