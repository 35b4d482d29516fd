//! A JavaScript package that starts: with the package manager whose lock file it has.

use super::found::Process;
use super::place::Place;
use serde_json::Value;

/// A lock file, its manager with the option that names a folder, and how it installs what the lock file says.
const MANAGERS: [(&str, &str, &str, &str); 6] = [
    ("package-lock.json", "npm", "--prefix", "ci"),
    (
        "pnpm-lock.yaml",
        "pnpm",
        "--dir",
        "install --frozen-lockfile",
    ),
    ("yarn.lock", "yarn", "--cwd", "install --frozen-lockfile"),
    ("bun.lock", "bun", "--cwd", "install --frozen-lockfile"),
    ("bun.lockb", "bun", "--cwd", "install --frozen-lockfile"),
    ("package.json", "npm", "--prefix", "install"),
];

pub(super) fn process(place: &Place<'_>) -> Option<Process> {
    let manifest: Value = serde_json::from_str(&place.read("package.json")?).ok()?;
    let script = |name: &str| Some(manifest.get("scripts")?.get(name)?.as_str()?.to_owned());
    // Without the script, `npm start` runs server.js.
    if script("start").is_none() && !place.has("server.js") {
        return None;
    }
    let (_, program, folder, install) = MANAGERS.into_iter().find(|it| place.has(it.0))?;
    let manager = if place.is_root() {
        program.to_owned()
    } else {
        format!("{program} {folder} {}", place.path(""))
    };
    let has_dependencies = ["dependencies", "devDependencies"].iter().any(|key| {
        let block = manifest.get(key).and_then(Value::as_object);
        block.is_some_and(|block| !block.is_empty())
    });
    let steps = [
        has_dependencies.then(|| format!("{manager} {install}")),
        script("build").map(|_| format!("{manager} run build")),
    ];
    let steps: Vec<String> = steps.into_iter().flatten().collect();
    let name = manifest.get("name").and_then(Value::as_str);
    Some(Process {
        // `@shop/web` is `web`.
        name: name.map(|name| name.rsplit('/').next().unwrap_or(name).to_owned()),
        installs: !steps.is_empty(),
        build: (!steps.is_empty()).then(|| steps.join(" && ")),
        command: if script("start").is_none() && program != "npm" {
            format!("{program} {}", place.path("server.js"))
        } else {
            format!("{manager} run start").replace("npm run start", "npm start")
        },
        found: "package.json",
        tells_port: script("start").is_some_and(|start| start.contains("next start")),
    })
}
