//! The test app as a program; its environment says how it behaves (`load::app::Settings`). With
//! `--health` it asks the one that runs beside it, as a container's health check does.

use load::app::{self, Settings};
use std::io::Write;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("--health") {
        return app::check_health().await;
    }
    match Settings::read(|name| std::env::var(name).ok()) {
        Ok(settings) => app::run(settings).await,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::from(2)
        }
    }
}
